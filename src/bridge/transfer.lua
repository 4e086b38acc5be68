-- One step of one transfer, done in Redis as a whole or not at all.
-- KEYS: 1 fence of the caller, 2 open transfers of the player, 3 players with open transfers,
--       4 wallet of the caller, 5 stored members of the giver
-- ARGV: 1 epoch, 2 operation, 3 short name of the caller, 4 uid, 5 transfer id,
--       6 purse of the caller (shared, own or none), 7... by operation
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {'fenced'} end
local operation, me, uid, id, purse = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local most, most_open = 9007199254740991, 64
local record = redis.call('HGET', KEYS[2], id)
local state, body, giver
if record then
  state, body = string.match(record, '^(%a+)@(.*)$')
  giver = string.match(body, '_by=([^|]*)')
end

local function put(new, text)
  redis.call('HSET', KEYS[2], id, new .. '@' .. text)
  redis.call('SADD', KEYS[3], uid)
  return {new, text}
end

local function drop(word)
  redis.call('HDEL', KEYS[2], id)
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('SREM', KEYS[3], uid) end
  return {word, body}
end

-- The amounts of a record: its fields whose names do not begin with an underscore.
local function amounts(text)
  local list = {}
  for name, amount in string.gmatch(text, '([^|=]+)=([^|]*)') do
    if string.sub(name, 1, 1) ~= '_' then
      list[#list + 1] = {name, amount}
    end
  end
  return list
end

-- Adds the amounts to the caller's wallet; the name of one that has no room there, and then nothing is added.
local function credit(text)
  local list = amounts(text)
  for _, entry in ipairs(list) do
    local balance = tonumber(redis.call('HGET', KEYS[4], entry[1]) or '0')
    if balance + tonumber(entry[2]) > most then return entry[1] end
  end
  for _, entry in ipairs(list) do redis.call('HINCRBY', KEYS[4], entry[1], entry[2]) end
end

if operation == 'offer' then
  -- 7 head of the record, 8... name and amount; amount 0: all there is, also of all names that begin as NAME.*
  if record then return {state, body} end
  local mine, session = '_by=' .. me .. '|', string.match(ARGV[7], '_session=([^|]*)')
  local open = redis.call('HGETALL', KEYS[2])
  for i = 1, #open, 2 do
    if string.find(open[i + 1], mine, 1, true) and string.match(open[i + 1], '_session=([^|]*)') == session then
      return {'again', open[i], open[i + 1]}
    end
  end
  if #open >= 2 * most_open then return {'busy'} end
  local parts, taken = {}, {}
  local function take(name, amount)
    if amount ~= '0' and not taken[name] then
      parts[#parts + 1], taken[name] = {name, amount}, true
    end
  end
  for i = 8, #ARGV, 2 do
    local name, amount = ARGV[i], ARGV[i + 1]
    if purse ~= 'shared' then
      parts[#parts + 1] = {name, amount}
    elseif amount ~= '0' then
      local balance = redis.call('HGET', KEYS[4], name) or '0'
      if tonumber(balance) < tonumber(amount) then return {'short', name .. '=' .. balance} end
      take(name, amount)
    elseif string.sub(name, -2) == '.*' then
      local wallet, start = redis.call('HGETALL', KEYS[4]), string.sub(name, 1, -2)
      for k = 1, #wallet, 2 do
        if string.sub(wallet[k], 1, #start) == start then take(wallet[k], wallet[k + 1]) end
      end
    else
      take(name, redis.call('HGET', KEYS[4], name) or '0')
    end
  end
  if #parts == 0 and purse == 'shared' then return {'nothing'} end
  local text = {}
  for i, part in ipairs(parts) do
    if purse == 'shared' then redis.call('HINCRBY', KEYS[4], part[1], '-' .. part[2]) end
    text[i] = part[1] .. '=' .. part[2]
  end
  return put(purse == 'own' and 'taking' or 'offered', ARGV[7] .. table.concat(text, '|'))
end

if operation == 'change' then
  -- 7... name and difference: the game's own gains and losses; a repetition of the last one changes nothing
  if redis.call('HGET', KEYS[4], '_change') == id then return {'changed'} end
  for i = 7, #ARGV, 2 do
    local balance = redis.call('HGET', KEYS[4], ARGV[i]) or '0'
    local new = tonumber(balance) + tonumber(ARGV[i + 1])
    if new < 0 then return {'short', ARGV[i] .. '=' .. balance} end
    if new > most then return {'full', ARGV[i]} end
  end
  for i = 7, #ARGV, 2 do redis.call('HINCRBY', KEYS[4], ARGV[i], ARGV[i + 1]) end
  redis.call('HSET', KEYS[4], '_change', id)
  return {'changed'}
end

if operation == 'adopt' then
  -- 7 member to be removed or empty, 8 record: what came without an id becomes a transfer, given already
  if record then return {state, body} end
  if ARGV[7] ~= '' and redis.call('SISMEMBER', KEYS[5], ARGV[7]) == 0 then return {'gone'} end
  local full = purse == 'shared' and credit(ARGV[8])
  if full then return {'full', full} end
  if ARGV[7] ~= '' then redis.call('SREM', KEYS[5], ARGV[7]) end
  return put('seen', ARGV[8])
end

if operation == 'accept' then
  -- 7 member to be removed or empty
  if record and giver == me then return {'mine', body} end
  local new = state == 'offered' and 'accepted' or state == 'stored' and 'seen' or nil
  if new and purse == 'shared' then
    local full = credit(body)
    if full then return {'full', full} end
  end
  if ARGV[7] ~= '' then redis.call('SREM', KEYS[5], ARGV[7]) end
  if new then return put(new, body) end
  return {state or 'gone', body or ''}
end

if not record then return {'gone'} end

if operation == 'close' then
  -- 7 'plain' when the peer keeps no records
  if giver == me then
    if state == 'accepted' then return put('seen', body) end
    if state == 'applied' or state == 'returning' then return drop('closed') end
    if state == 'offered' and ARGV[7] == 'plain' then return drop('closed') end
  elseif state == 'accepted' then
    return put('applied', body)
  elseif state == 'seen' then
    return drop('closed')
  end
  return {state, body}
end

if giver ~= me then return {'foreign', body} end

if operation == 'taken' then
  -- 7... name and amount that were taken; none: the taking was refused
  if state ~= 'taking' then return {state, body} end
  if #ARGV < 7 then return drop('gone') end
  local text = {}
  for i = 7, #ARGV, 2 do text[#text + 1] = ARGV[i] .. '=' .. ARGV[i + 1] end
  local head = string.match(body, '^.-_session=[^|]*|')
  return put('offered', head .. table.concat(text, '|'))
end

if operation == 'store' then
  -- 7 member, 8 'plain' when the peer keeps no records
  if state ~= 'offered' then return {state, body} end
  redis.call('SADD', KEYS[5], ARGV[7])
  if ARGV[8] == 'plain' then return drop('stored') end
  return put('stored', body)
end

if operation == 'return' then
  -- 7 member to be removed or empty
  if state ~= 'offered' and state ~= 'stored' then return {state, body} end
  local full = purse == 'shared' and credit(body)
  if full then return {'full', full} end
  if ARGV[7] ~= '' then redis.call('SREM', KEYS[5], ARGV[7]) end
  if purse == 'own' then return put('returning', body) end
  return drop('returned')
end

return {'unknown', operation}
