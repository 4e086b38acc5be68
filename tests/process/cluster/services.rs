//! What scripts reach the cluster by beside calls: names, proxies, the commands of `clusterd`.

use super::Subject;

/// A service that answers with its arguments, for the types `lua` and `snax`.
const ECHO: &str = "local skynet = require 'skynet'
skynet.register_protocol {
  name = 'snax', id = skynet.PTYPE_SNAX, pack = skynet.pack, unpack = skynet.unpack,
}
local noted = {}
local function answer(_, _, what, ...)
  if what == 'note' then
    noted[#noted + 1] = ...
  elseif what == 'noted' then
    skynet.retpack(table.concat(noted, ' '))
  else
    skynet.retpack(what, ...)
  end
end
local own_name = ...
skynet.start(function()
  skynet.dispatch('lua', answer)
  skynet.dispatch('snax', answer)
  if own_name then
    require 'skynet.cluster'.register(own_name)
  end
end)";

/// A subject with an echo service `echo`, and the protocol `snax`.
fn with_echo() -> Subject {
    let mut subject = Subject::start("", "");
    subject.folder.write("echo.lua", ECHO);
    subject.run(
        "echo = skynet.newservice 'echo'
         clusterd = skynet.uniqueservice 'clusterd'
         skynet.register_protocol {
           name = 'snax', id = skynet.PTYPE_SNAX, pack = skynet.pack, unpack = skynet.unpack,
         }",
    );
    subject
}

#[test]
fn a_service_has_one_name_and_another_may_have_it_later() {
    let mut subject = with_echo();
    let hex = subject.run("return skynet.address(echo)");
    assert_eq!(subject.run("return cluster.register('db', echo)"), "");
    subject.logged(&format!("Register [db] {hex}"));
    assert_eq!(subject.run("return cluster.query('self', 'db') == echo"), "true");
    assert_eq!(subject.run("return cluster.call('self', '@db', 'hello')"), "hello");

    // Taken: the owner keeps it, and may register it again.
    assert_eq!(subject.run("return pcall(cluster.register, 'db')"), "false\tcall failed");
    subject.logged(&format!("cluster name [db] belongs to {hex}"));
    assert_eq!(
        subject.run("cluster.register('db', echo) return cluster.query('self', 'db') == echo"),
        "true"
    );

    // Renamed: the former name is gone.
    subject.run("cluster.register('store', echo)");
    let query = "return pcall(cluster.query, 'self', 'db')";
    assert_eq!(subject.run(query), "false\tcall failed");
    subject.logged("name not found");
    assert_eq!(subject.run("return cluster.call('self', '@store', 1)"), "1");
    assert_eq!(subject.run("return pcall(cluster.call, 'self', '@db', 1)"), "false\tcall failed");
    subject.logged("Invalid name @db");

    // Free again, for this service by default.
    subject.run("cluster.unregister 'store'");
    subject.logged(&format!("Unregister [store] {hex}"));
    assert_eq!(subject.run("return cluster.unregister 'store'"), "");
    let code = "local own = skynet.newservice('echo', 'store')
                return cluster.query('self', 'store') == own";
    assert_eq!(subject.run(code), "true");

    for wrong in ["cluster.register, 1", "cluster.register, 'x', 'y'", "cluster.unregister, nil"] {
        let raised = subject.run(&format!("return pcall({wrong})"));
        assert!(raised.contains("assertion failed!"), "{wrong}: {raised}");
    }
}

#[test]
fn a_proxy_stands_for_a_service_of_another_node() {
    let mut subject = with_echo();
    subject.run("cluster.register('echo', echo) skynet.name('.echo', echo)");
    for form in [
        "'self', '@echo'",
        "'self', '.echo'",
        "'self', cluster.query('self', 'echo')",
        "'self@echo'",
        "'self.echo'",
    ] {
        subject.run(&format!("proxy = cluster.proxy({form})"));
        let same = format!("return proxy == cluster.proxy({form}), proxy ~= echo");
        assert_eq!(subject.run(&same), "true\ttrue", "{form}: made once");
        for kind in ["lua", "snax"] {
            let call = format!("return skynet.call(proxy, '{kind}', 'hello', 1.5, nil, true)");
            assert_eq!(subject.run(&call), "hello\t1.5\tnil\ttrue", "{form}");
        }
        // Order: the call comes after the sends, small or large.
        let noted = subject.run(
            "for _, size in ipairs { 1, 50000, 2 } do
               skynet.send(proxy, 'lua', 'note', size, ('x'):rep(size))
             end
             return (skynet.call(proxy, 'lua', 'noted'):match '[%d ]+$'):sub(-9)",
        );
        assert_eq!(noted, "1 50000 2", "{form}");
    }
    for wrong in ["'nothing'", "'@echo'", "'self@'"] {
        let raised = subject.run(&format!("return pcall(cluster.proxy, {wrong})"));
        assert_eq!(raised, "false\tcall failed");
        subject.logged(&format!("Invalid name {}", wrong.trim_matches('\'')));
    }
    // The service there is gone: whoever asks is told.
    subject.run("proxy = cluster.proxy('self', '@echo') skynet.kill(echo)");
    assert_eq!(subject.run("return pcall(skynet.call, proxy, 'lua', 1)"), "false\tcall failed");
}

#[test]
fn a_proxy_can_be_started_as_a_service() {
    let mut subject = with_echo();
    subject.run("cluster.register('echo', echo)");
    for address in ["'@echo'", "echo"] {
        let code = format!("proxy = skynet.newservice('clusterproxy', 'self', {address})");
        subject.run(&code);
        assert_eq!(subject.run("return skynet.call(proxy, 'lua', 'a', nil, 'b')"), "a\tnil\tb");
        assert_eq!(subject.run("return skynet.call(proxy, 'snax', 'a')"), "a");
    }
}

#[test]
fn clusterd_answers_its_commands() {
    let mut subject = with_echo();
    let mut ask = |command: &str| {
        let code = format!("return pcall(skynet.call, clusterd, 'lua', {command})");
        subject.run(&code)
    };
    assert_eq!(ask("'register', 'echo', echo"), "true");
    let echo = ask("'queryname', 'echo'");
    assert_eq!(ask("'queryname', 'main'").split('\t').next(), Some("true"));
    assert_eq!(ask("'queryname', 'nobody'"), "true\tnil");
    assert_eq!(ask("'unregister', 'echo'"), "true");
    assert_eq!(ask("'queryname', 'echo'"), "true\tnil");
    assert_eq!(ask("'reload', { one = '127.0.0.1:1', two = false }"), "true");
    assert_eq!(ask("'sender', 'two'"), "false\tcall failed");
    assert!(ask("'sender', 'one'").starts_with("true\t"));
    assert!(ask("'listen', '127.0.0.1', 0").starts_with("true\t127.0.0.1\t"));
    assert_eq!(ask("'listen', 'two'"), "false\tcall failed");
    assert_eq!(ask("'listen', '192.0.2.1', 1"), "false\tcall failed");
    assert_eq!(ask("'no such command'"), "false\tcall failed");
    assert!(ask("'proxy', 'one', '@x'").starts_with("true\t"));
    let number = echo.strip_prefix("true\t").unwrap();
    assert_eq!(subject.run("return echo"), number);
    for (line, count) in [
        ("cluster node [two] is down.", 1),
        ("two is down", 1),
        ("cannot listen on 192.0.2.1:1: ", 1),
    ] {
        assert!(subject.lines(line) >= count, "{line}");
    }

    let senders = subject.run(
        "local names = {}
         for name, sender in pairs(skynet.call(clusterd, 'lua', 'senders')) do
           assert(sender == cluster.get_sender(name))
           names[#names + 1] = name
         end
         table.sort(names)
         return table.unpack(names)",
    );
    assert_eq!(senders, "one");
}

#[test]
fn the_sender_of_a_node_is_a_service_as_long_as_the_node_is_not_down() {
    let mut subject = Subject::start("two = false", "");
    let kinds = "return math.type(cluster.get_sender 'self'), cluster.get_sender 'two'";
    assert_eq!(subject.run(kinds), "integer\tnil");
    subject.logged("call failed");
    subject.run("cluster.reload { two = '127.0.0.1:1' }");
    assert_eq!(subject.run("return math.type(cluster.get_sender 'two')"), "integer");
    subject.run("cluster.reload { __nowaiting = true }");
    assert_eq!(subject.run("return cluster.get_sender 'three'"), "nil");
    subject.logged("cluster node [three] is absent.");
}

#[test]
fn a_snax_service_of_another_node_is_used_like_one_of_this() {
    let mut subject = Subject::start("", "snax = './?.lua'");
    subject.folder.write(
        "greeter.lua",
        "local snax = require 'skynet.snax'
         local said = 0
         function response.hello(name) said = said + 1 return 'hello ' .. name, said end
         function accept.add(count) said = said + count end
         function init() snax.enablecluster() end",
    );
    subject.run(
        "local snax = require 'skynet.snax'
         local own = snax.uniqueservice 'greeter'
         cluster.register('greeter', own.handle)
         greeter = cluster.snax('self', 'greeter', '@greeter')",
    );
    assert_eq!(subject.run("return greeter.req.hello 'Ann'"), "hello Ann\t1");
    subject.run("greeter.post.add(10)");
    assert_eq!(subject.run("return greeter.req.hello 'Bob'"), "hello Bob\t12");
    // Without an address the unique service of that name is asked for.
    assert_eq!(
        subject.run("return cluster.snax('self', 'greeter').req.hello 'Eve'"),
        "hello Eve\t13"
    );
}
