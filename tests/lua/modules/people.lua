-- Schemas for the pairs of sproto.
return {
  people = [[
.Person {
  name 0 : string
  id 1 : integer
  email 2 : string
  .PhoneNumber {
    number 0 : string
    type 1 : integer
  }
  phone 3 : *PhoneNumber
}

.AddressBook {
  person 0 : *Person(id)
  others 1 : *Person
}
]],
  data = [[
.Other { text 0 : string }
.Data {
  numbers 0 : *integer
  bools 1 : *boolean
  number 2 : integer
  bignumber 3 : integer
  fpn 4 : integer(2)
  fpns 5 : *integer(3)
  flag 6 : boolean
  other 7 : Other
  list 8 : *Other
  texts 9 : *string
}
]],
  client = [[
.package {
  type 0 : integer
  session 1 : integer
  ud 2 : string
}
.Item { id 0 : integer }
get 2 {
  request { what 0 : string }
  response { result 0 : string }
}
quit 3 {}
save 4 {
  request { items 0 : *Item }
  response nil
}
ask 5 {
  response { items 0 : *Item(id) }
}
]],
  server = [[
.package {
  type 0 : integer
  session 1 : integer
  ud 2 : string
}
heartbeat 1 {}
say 2 {
  request { text 0 : string }
  response { heard 0 : boolean }
}
]],
}
