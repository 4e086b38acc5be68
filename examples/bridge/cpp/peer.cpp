// A main game that keeps its players' balances in Redis: the other side of a fishing game's bridge.
//
//   peer HOST PORT OWN PEER [TIMEOUT_MS]
//
// It gives a player's amounts when he enters the other game and takes them back when he leaves. Besides it knows two
// commands: `req_login` (the player logs in here: what is stored and open is settled) and `req_gift` with amounts (it
// pushes them to the other game).

#include <poll.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "bridge.hpp"

namespace {

const char* const SCRIPT =
#include "transfer.inc"
    ;

using bridge::Fields;
using bridge::Message;
using bridge::Record;
using bridge::Reply;

const std::string MOVE = "req_mv_gold";

long long milliseconds() {
  using namespace std::chrono;
  return duration_cast<std::chrono::milliseconds>(system_clock::now().time_since_epoch()).count();
}

// `rsp_` and others about a request.
std::string about(const std::string& prefix, const std::string& command) {
  return prefix + (command.rfind("req_", 0) == 0 ? command.substr(4) : command);
}

class Game {
 public:
  Game(bridge::Store& store, long long timeout) : store_(store), ids_(store.own()), timeout_(timeout) {}

  void receive(const Message& message);
  // Offers whose time is up, and from time to time what hangs.
  void tick();
  // What an earlier process left open.
  void sweep(long long age);

 private:
  struct Offer {
    std::string uid;
    Record record;
    long long deadline;
  };

  bool send(Message message, const std::string& uid);
  Message carry(const std::string& command, const std::string& id, const Record& record) const;
  std::string member(const std::string& id, const Record& record) const;

  void give(const std::string& uid, const std::string& mode, const std::string& session, const Fields& wanted);
  void close(const std::string& uid, const std::string& id, const Record& record);
  void rule(const std::string& uid, const std::string& id, const Record& record);
  void accept(const std::string& uid, const std::string& id, const Record& record, const std::string& way,
              const std::string& member);
  void settle(const std::string& uid, bool login, long long before);
  void log_in(const std::string& uid);

  bridge::Store& store_;
  bridge::Ids ids_;
  long long timeout_, next_sweep_ = 0;
  std::map<std::string, Offer> offers_;  // those that wait for the peer's word
};

bool Game::send(Message message, const std::string& uid) {
  message.fields["uid"] = uid;
  return store_.publish(store_.own() + "_to_" + store_.peer(), bridge::write(message)) > 0;
}

Message Game::carry(const std::string& command, const std::string& id, const Record& record) const {
  Message message{command, record.amounts};
  message.fields["id"] = id;
  message.fields["session"] = record.session;
  return message;
}

std::string Game::member(const std::string& id, const Record& record) const {
  return bridge::write(carry(record.command, id, record));
}

// The giver: takes, offers and waits for the word.
void Game::give(const std::string& uid, const std::string& mode, const std::string& session, const Fields& wanted) {
  std::string id = ids_.transfer();
  Record record;
  record.at = milliseconds();
  record.giver = store_.own();
  record.command = MOVE;
  record.mode = mode;
  record.session = session;
  std::vector<std::string> arguments = {head_of(record)};
  for (const auto& [name, amount] : wanted) {
    arguments.push_back(name);
    arguments.push_back(amount);
  }
  Reply reply = store_.step("offer", uid, id, store_.own(), arguments);
  std::string command = mode == "pull" ? about("rsp_", MOVE) : MOVE;
  if (reply[0] == "again" && mode == "pull") {  // the answer was lost
    auto standing = bridge::parse_record(reply[2]);
    if (standing && standing->state == "offered") send(carry(command, reply[1], *standing), uid);
    return;
  }
  if (reply[0] != "offered") {
    if (mode != "pull") return;
    Message none{command, {{"session", session}}};
    if (reply[0] == "nothing") {
      for (const auto& [name, amount] : wanted) none.fields[name] = "0";
    } else {
      none.fields["error"] = reply[0];
    }
    send(none, uid);
    return;
  }
  auto taken = bridge::parse_record("offered@" + reply[1]);
  if (!taken) return;
  offers_[id] = {uid, *taken, milliseconds() + timeout_};
  if (!send(carry(command, id, *taken), uid)) offers_[id].deadline = 0;  // nobody listens
}

// The peer said yes.
void Game::close(const std::string& uid, const std::string& id, const Record& record) {
  if (store_.step("close", uid, id, store_.own(), {})[0] == "offered") rule(uid, id, record);
}

// Looks what became of an offer, and decides if nobody has.
void Game::rule(const std::string& uid, const std::string& id, const Record& record) {
  Reply reply = record.mode == "pull" ? store_.step("return", uid, id, store_.own(), {member(id, record)})
                                      : store_.step("store", uid, id, store_.own(), {member(id, record), ""});
  if (reply[0] == "accepted" || reply[0] == "applied") store_.step("close", uid, id, store_.own(), {});
}

// The receiver: makes an offer its own and says so.
void Game::accept(const std::string& uid, const std::string& id, const Record& record, const std::string& way,
                  const std::string& member) {
  Reply reply = store_.step("accept", uid, id, store_.peer(), {member});
  bool mine = reply[0] == "accepted" || reply[0] == "seen", before = reply[0] == "applied";
  if (way == "request" || (mine && reply[0] == "accepted" && !record.session.empty())) {
    Message say{about(way == "request" ? "rsp_" : "ack_", MOVE), {{"id", id}, {"session", record.session}}};
    if (mine || before) {
      say.fields["result"] = "ok";
    } else {
      say.fields["error"] = reply[0] == "full" ? "full" : "gone";
    }
    send(say, uid);
  }
  if (mine) store_.step("close", uid, id, store_.peer(), {});
}

// Goes on with what is open and older than `before`, or, at a login, with all of it.
void Game::settle(const std::string& uid, bool login, long long before) {
  auto open = store_.ask({"HGETALL", store_.open_key(uid)});
  for (size_t i = 0; i + 1 < open.size(); i += 2) {
    const std::string& id = open[i];
    auto record = bridge::parse_record(open[i + 1]);
    if (!record || offers_.count(id)) continue;
    if (record->giver == store_.own()) {
      if (!login && record->at > before) continue;
      if (record->state == "offered") rule(uid, id, *record);
      if (record->state == "accepted" || record->state == "applied") store_.step("close", uid, id, store_.own(), {});
    } else {
      bool decided = record->state == "accepted" || record->state == "seen";
      bool offered = record->state == "offered" || record->state == "stored";
      if (decided || (login && offered && record->mode == "push")) accept(uid, id, *record, "found", member(id, *record));
    }
  }
}

void Game::log_in(const std::string& uid) {
  settle(uid, true, 0);
  for (const auto& text : store_.ask({"SMEMBERS", store_.stored_key(store_.peer(), uid)})) {
    auto message = bridge::parse(text);
    if (!message) {
      std::fprintf(stderr, "bridge: player %s: a stored member is no message; it stays\n", uid.c_str());
      continue;
    }
    if (message->has("id")) {
      accept(uid, message->get("id"), Record{}, "found", text);
      continue;
    }
    Record record;  // of a peer that knows the plain protocol alone
    record.at = milliseconds();
    record.giver = store_.peer();
    record.command = message->command;
    record.mode = "push";
    record.session = message->get("session");
    std::string body = head_of(record);
    bool first = true;
    for (const auto& [name, value] : message->fields) {
      if (bridge::is_reserved(name)) continue;
      body += (first ? "" : "|") + name + "=" + bridge::escape(value);
      first = false;
    }
    std::string id = ids_.transfer();
    if (store_.step("adopt", uid, id, store_.peer(), {text, body})[0] == "seen") {
      store_.step("close", uid, id, store_.peer(), {});
    }
  }
}

void Game::receive(const Message& message) {
  const std::string &uid = message.get("uid"), &session = message.get("session"), &id = message.get("id");
  if (uid.empty()) return;
  Fields amounts;
  bool asks = true;
  for (const auto& [name, value] : message.fields) {
    if (bridge::is_reserved(name)) continue;
    amounts.emplace(name, value);
    asks = asks && value == "0";
  }
  if (message.command == MOVE && !id.empty()) {
    Message stored = message;
    stored.fields.erase("uid");
    Record record;
    record.session = session;
    accept(uid, id, record, "request", bridge::write(stored));
  } else if (message.command == MOVE && asks && !amounts.empty() && !session.empty()) {
    give(uid, "pull", session, amounts);
  } else if (message.command == "req_login") {
    log_in(uid);
    send({"rsp_login", {{"session", session}, {"result", "ok"}}}, uid);
  } else if (message.command == "req_gift") {
    give(uid, "push", ids_.session(), amounts);
    send({"rsp_gift", {{"session", session}, {"result", "ok"}}}, uid);
  } else if (message.command == about("rsp_", MOVE) || message.command == about("ack_", MOVE) ||
             message.command == about("nak_", MOVE)) {
    auto offer = offers_.find(id);
    if (offer != offers_.end()) {
      Offer found = offer->second;
      offers_.erase(offer);
      bool yes = message.command.rfind("nak_", 0) != 0 && !message.has("error");
      yes ? close(uid, id, found.record) : rule(uid, id, found.record);
    } else if (!id.empty() && message.command.rfind("ack_", 0) == 0) {
      settle(uid, false, milliseconds());
    } else if (!id.empty() && message.command.rfind("rsp_", 0) == 0 && !message.has("result") && !message.has("error")) {
      send({about("nak_", MOVE), {{"id", id}, {"session", session}, {"error", "too late"}}}, uid);
    }
  } else if (message.command.rfind("req_", 0) == 0 && !session.empty()) {
    send({about("rsp_", message.command), {{"session", session}, {"error", "no handler of " + message.command}}}, uid);
  }
}

void Game::sweep(long long age) {
  for (const auto& uid : store_.ask({"SMEMBERS", store_.players_key()})) settle(uid, false, milliseconds() - age);
}

void Game::tick() {
  long long now = milliseconds();
  for (auto it = offers_.begin(); it != offers_.end();) {
    if (it->second.deadline > now) {
      ++it;
      continue;
    }
    auto [id, offer] = *it;
    it = offers_.erase(it);
    rule(offer.uid, id, offer.record);
  }
  if (now >= next_sweep_) {
    sweep(timeout_);
    next_sweep_ = milliseconds() + 2 * timeout_;
  }
}

// Subscribes; null while there is no connection.
redisContext* subscribe(const std::string& host, int port, const std::string& channel) {
  redisContext* context = bridge::open_connection(host, port);
  if (!context) return nullptr;
  auto* reply = static_cast<redisReply*>(redisCommand(context, "SUBSCRIBE %b", channel.data(), channel.size()));
  bool ok = reply && reply->type == REDIS_REPLY_ARRAY;
  if (reply) freeReplyObject(reply);
  if (ok) return context;
  redisFree(context);
  return nullptr;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) {
    std::fprintf(stderr, "usage: peer HOST PORT OWN PEER [TIMEOUT_MS]\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::string host = arguments[1], own = arguments[3], peer = arguments[4];
  int port = std::atoi(arguments[2]);
  bridge::Store store(host, port, own, peer, "1", SCRIPT);
  Game game(store, count > 5 ? std::atoll(arguments[5]) : 3000);
  redisContext* messages = nullptr;
  bool told = false;
  for (;;) {
    if (!messages) {
      messages = subscribe(host, port, peer + "_to_" + own);
      if (!messages) {
        poll(nullptr, 0, 50);
        continue;
      }
      if (!told) {
        std::printf("READY %s\n", own.c_str());
        std::fflush(stdout);
        told = true;
      }
    }
    pollfd waited{messages->fd, POLLIN, 0};
    bool alive = poll(&waited, 1, 20) <= 0 || redisBufferRead(messages) == REDIS_OK;
    void* raw = nullptr;
    while (alive && (alive = redisGetReplyFromReader(messages, &raw) == REDIS_OK) && raw) {
      auto* reply = static_cast<redisReply*>(raw);
      if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[2]->str) {
        auto message = bridge::parse({reply->element[2]->str, reply->element[2]->len});
        if (message) game.receive(*message);
      }
      freeReplyObject(reply);
      raw = nullptr;
    }
    game.tick();
    if (!alive) {
      redisFree(messages);
      messages = nullptr;
    }
  }
}
