-- The nodes of the cluster: name = "host:port". The config names this file by `cluster`.
my_server_on_cluster = "127.0.0.1:10001"
