//! Two nodes whose link is secured, and peers that have no part in it.

mod certificates;
mod raw;
mod relay;
mod secret;
mod tls;

use crate::support::{Folder, Node};

pub(crate) const SECRET: &str = "cluster_secret = 'a secret of both nodes'";

const SERVER: &str = "
local skynet = require 'skynet'
local cluster = require 'skynet.cluster'
skynet.start(function()
  skynet.dispatch('lua', function(_, _, what, value)
    skynet.error('delivered', what)
    skynet.ret(skynet.pack(value))
  end)
  cluster.register('echo', skynet.self())
  cluster.reload { me = '127.0.0.1:0' }
  local _, port = cluster.open 'me'
  skynet.error('open at', port)
end)";

/// Calls until a call succeeds or has failed as often as it may, then calls with large bodies.
const CLIENT: &str = "
local skynet = require 'skynet'
local cluster = require 'skynet.cluster'
skynet.start(function()
  cluster.reload { server = '127.0.0.1:PORT' }
  local failed = 0
  local ok, value
  repeat
    ok, value = pcall(cluster.call, 'server', '@echo', 'small', 42)
    failed = failed + (ok and 0 or 1)
    if failed == 1 then skynet.error 'call failed' end
  until ok or failed >= MOST
  if not ok then return end
  skynet.error('answer', value)
  local body = string.rep('0123456789abcdef', 1 << 16)
  local same, left = 0, 8
  for i = 1, left do
    skynet.fork(function()
      local sent = i .. body
      if cluster.call('server', '@echo', 'large', sent) == sent then same = same + 1 end
      left = left - 1
      if left == 0 then skynet.error('large bodies', same) end
    end)
  end
end)";

/// A node that lets others call a service, with `config`, and its port.
pub(crate) fn server(folder: &Folder, config: &str) -> (Node, u16) {
    folder.config(config).write("main.lua", SERVER);
    let mut node = folder.start();
    let line = node.expect("open at");
    let port = line.rsplit(' ').next().unwrap().parse().unwrap();
    (node, port)
}

/// A node that calls it once.
pub(crate) fn client(folder: &Folder, config: &str, port: u16) -> Node {
    client_that_tries(folder, config, port, 1)
}

/// A node that calls it up to `most` times.
pub(crate) fn client_that_tries(folder: &Folder, config: &str, port: u16, most: u32) -> Node {
    let script = CLIENT.replace("PORT", &port.to_string()).replace("MOST", &most.to_string());
    folder.config(config).write("main.lua", script);
    folder.start()
}

/// Both sides work together, small and large.
pub(crate) fn expect_calls(client: &mut Node) {
    client.expect("answer 42");
    client.expect("large bodies 8");
}

/// The call fails for a reason that each side logs once, and nothing is delivered.
pub(crate) fn expect_refusal(
    (mut server, at_server): (Node, &str),
    (mut client, at_client): (Node, &str),
) {
    for (node, part) in [(&mut server, at_server), (&mut client, at_client)] {
        node.expect(part);
    }
    client.expect("call failed");
    for (mut node, part) in [(server, at_server), (client, at_client)] {
        node.signal("TERM");
        node.wait();
        let all = node.rest();
        assert!(!all.contains("delivered"), "{all}");
        let times = all.matches(part).count();
        assert_eq!(times, 1, "{part} {times} times in:\n{all}");
    }
}

/// Two folders, of a server and of a client.
pub(crate) fn folders() -> (Folder, Folder) {
    (Folder::new(), Folder::new())
}
