// The wire of docs/bridge.md: messages, records, and steps in Redis that are done once. hiredis and the standard library.
#pragma once

#include <hiredis/hiredis.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bridge {

using Fields = std::map<std::string, std::string>;  // sorted by name, as messages are written

struct Message {
  std::string command;
  Fields fields;

  // The value of a field, or an empty text.
  const std::string& get(const std::string& name) const;
  bool has(const std::string& name) const { return fields.count(name) != 0; }
};

std::string escape(std::string_view value);
std::string unescape(std::string_view value);
std::string write(const Message& message);
std::optional<Message> parse(std::string_view text);

// True for what is no amount or field of a command: uid, session, id, error, result, and _names.
bool is_reserved(const std::string& name);

// The record of a transfer: `state@_at=…|_by=…|_command=…|_mode=…|_session=…|name=amount…`.
struct Record {
  std::string state, giver, command, mode, session;
  long long at = 0;
  Fields amounts;
};

std::optional<Record> parse_record(std::string_view text);
std::string head_of(const Record& record);

// A reply of the script: a word, and what belongs to it.
using Reply = std::vector<std::string>;

// One connection for commands. Every call is repeated until Redis has answered.
class Store {
 public:
  Store(std::string host, int port, std::string own, std::string peer, std::string instance, std::string script);
  ~Store();
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // One step of a transfer, done once: section 4, "Epochs".
  Reply step(const std::string& operation, const std::string& uid, const std::string& id, const std::string& giver,
             const std::vector<std::string>& arguments);
  // A command that may be done twice; its elements.
  std::vector<std::string> ask(const std::vector<std::string>& command);
  // How many received the message; it may be lost, then -1.
  long long publish(const std::string& channel, const std::string& message);

  const std::string& own() const { return own_; }
  const std::string& peer() const { return peer_; }
  std::string open_key(const std::string& uid) const { return "bridge:open:" + pair_ + ":" + uid; }
  std::string players_key() const { return "bridge:players:" + pair_; }
  std::string stored_key(const std::string& giver, const std::string& uid) const { return giver + "_" + uid; }

 private:
  redisReply* once(const std::vector<std::string>& command);
  void connect();
  void renew();

  std::string host_, own_, peer_, pair_, fence_, script_, epoch_, sha_;
  int port_;
  redisContext* context_ = nullptr;
};

// A connection with time limits; null if there is none.
redisContext* open_connection(const std::string& host, int port);

// Ids and sessions that do not repeat, also after a restart.
class Ids {
 public:
  explicit Ids(const std::string& own);
  std::string transfer();
  std::string session() { return std::to_string(++session_); }

 private:
  std::string prefix_;
  unsigned long long transfers_ = 0, session_ = 0;
};

}  // namespace bridge
