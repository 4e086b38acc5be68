-- The nodes that this one calls: name = "host:port". On another machine, name that machine's address here and in the
-- clustername.lua of the node that listens.
my_server_on_cluster = "127.0.0.1:10001"
