#include "bridge.hpp"

#include <sys/time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <random>
#include <thread>

namespace bridge {
namespace {

const size_t LONGEST = 65536, MOST_FIELDS = 256, LONGEST_NAME = 128;

bool is_plain(unsigned char byte) {
  return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || byte == '_' ||
         byte == '.' || byte == '-';
}

bool is_name(std::string_view text, bool star) {
  return !text.empty() && text.size() <= LONGEST_NAME &&
         std::all_of(text.begin(), text.end(), [&](char c) { return is_plain(c) || (star && c == '*'); });
}

// Length of the UTF-8 sequence at the start of `text`; 0 if there is none.
size_t sequence(std::string_view text) {
  auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = at(0);
  size_t length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3
                  : first >= 0xf0 && first < 0xf5                   ? 4
                                                                    : 0;
  if (length == 0 || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  if (first == 0xe0 && at(1) < 0xa0) return 0;
  if (first == 0xed && at(1) >= 0xa0) return 0;
  if (first == 0xf0 && at(1) < 0x90) return 0;
  if (first == 0xf4 && at(1) >= 0x90) return 0;
  return length;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string base36(unsigned long long number) {
  std::string digits;
  do {
    digits.push_back("0123456789abcdefghijklmnopqrstuvwxyz"[number % 36]);
    number /= 36;
  } while (number);
  return {digits.rbegin(), digits.rend()};
}

}  // namespace

const std::string& Message::get(const std::string& name) const {
  static const std::string none;
  auto found = fields.find(name);
  return found == fields.end() ? none : found->second;
}

std::string escape(std::string_view value) {
  std::string out;
  while (!value.empty()) {
    size_t length = sequence(value);
    unsigned char byte = value[0];
    bool bad = length == 0 || byte < 0x20 || byte == 0x7f || byte == '@' || byte == '|' || byte == '=' || byte == '%';
    if (bad) {
      char text[4];
      std::snprintf(text, sizeof text, "%%%02X", byte);
      out += text;
      length = 1;
    } else {
      out += value.substr(0, length);
    }
    value.remove_prefix(length);
  }
  return out;
}

std::string unescape(std::string_view value) {
  std::string out;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '%' && i + 2 < value.size() && digit(value[i + 1]) >= 0 && digit(value[i + 2]) >= 0) {
      out.push_back(static_cast<char>(digit(value[i + 1]) << 4 | digit(value[i + 2])));
      i += 2;
    } else {
      out.push_back(value[i]);
    }
  }
  return out;
}

std::string write(const Message& message) {
  std::string out = message.command + "@";
  bool first = true;
  for (const auto& [name, value] : message.fields) {
    if (!first) out += '|';
    first = false;
    out += name + "=" + escape(value);
  }
  return out;
}

std::optional<Message> parse(std::string_view text) {
  if (text.size() > LONGEST) return std::nullopt;
  size_t at = std::min(text.find('@'), text.size());
  Message message;
  message.command = text.substr(0, at);
  if (!is_name(message.command, false)) return std::nullopt;
  text.remove_prefix(std::min(at + 1, text.size()));
  while (!text.empty()) {
    size_t end = std::min(text.find('|'), text.size());
    std::string_view field = text.substr(0, end);
    size_t equals = field.find('=');
    if (equals == field.npos || !is_name(field.substr(0, equals), true)) return std::nullopt;
    std::string name(field.substr(0, equals));
    if (!message.fields.emplace(name, unescape(field.substr(equals + 1))).second) return std::nullopt;
    if (message.fields.size() > MOST_FIELDS) return std::nullopt;
    if (end == text.size()) break;
    text.remove_prefix(end + 1);
    if (text.empty()) return std::nullopt;
  }
  return message;
}

bool is_reserved(const std::string& name) {
  return name[0] == '_' || name == "uid" || name == "session" || name == "id" || name == "error" || name == "result";
}

std::optional<Record> parse_record(std::string_view text) {
  size_t at = text.find('@');
  if (at == text.npos) return std::nullopt;
  std::string whole = "r@" + std::string(text.substr(at + 1));
  if (whole.back() == '|') whole.pop_back();
  auto message = parse(whole);
  if (!message) return std::nullopt;
  Record record;
  record.state = text.substr(0, at);
  record.giver = message->get("_by");
  record.command = message->get("_command");
  record.mode = message->get("_mode");
  record.session = message->get("_session");
  record.at = std::atoll(message->get("_at").c_str());
  for (const auto& [name, value] : message->fields) {
    if (name[0] != '_') record.amounts.emplace(name, value);
  }
  return record;
}

std::string head_of(const Record& record) {
  return "_at=" + std::to_string(record.at) + "|_by=" + record.giver + "|_command=" + record.command +
         "|_mode=" + record.mode + "|_session=" + escape(record.session) + "|";
}

redisContext* open_connection(const std::string& host, int port) {
  timeval limit{2, 0};
  redisContext* context = redisConnectWithTimeout(host.c_str(), port, limit);
  if (context && context->err == 0 && redisSetTimeout(context, limit) == REDIS_OK) return context;
  if (context) redisFree(context);
  return nullptr;
}

Store::Store(std::string host, int port, std::string own, std::string peer, std::string instance, std::string script)
    : host_(std::move(host)), own_(std::move(own)), peer_(std::move(peer)), script_(std::move(script)), port_(port) {
  pair_ = std::min(own_, peer_) + ":" + std::max(own_, peer_);
  fence_ = "bridge:fence:" + own_ + ":" + peer_ + ":" + instance;
}

Store::~Store() {
  if (context_) redisFree(context_);
}

// Connects, however long that takes.
void Store::connect() {
  while (!context_) {
    context_ = open_connection(host_, port_);
    if (!context_) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

// Runs a command on the connection; null when the connection broke, which is then closed.
redisReply* Store::once(const std::vector<std::string>& command) {
  connect();
  std::vector<const char*> texts;
  std::vector<size_t> lengths;
  for (const auto& part : command) {
    texts.push_back(part.data());
    lengths.push_back(part.size());
  }
  auto* reply = static_cast<redisReply*>(
      redisCommandArgv(context_, static_cast<int>(command.size()), texts.data(), lengths.data()));
  if (!reply) {
    redisFree(context_);
    context_ = nullptr;
  }
  return reply;
}

std::vector<std::string> Store::ask(const std::vector<std::string>& command) {
  for (;;) {
    redisReply* reply = once(command);
    if (!reply || reply->type == REDIS_REPLY_ERROR) {  // gone, or still loading its data
      if (reply) freeReplyObject(reply);
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      continue;
    }
    std::vector<std::string> result;
    if (reply->type == REDIS_REPLY_ARRAY) {
      for (size_t i = 0; i < reply->elements; ++i) {
        result.emplace_back(reply->element[i]->str ? reply->element[i]->str : "", reply->element[i]->len);
      }
    } else if (reply->type == REDIS_REPLY_INTEGER) {
      result.push_back(std::to_string(reply->integer));
    } else if (reply->str) {
      result.emplace_back(reply->str, reply->len);
    }
    freeReplyObject(reply);
    return result;
  }
}

// From here on no step that was sent before can be done.
void Store::renew() { epoch_ = ask({"INCR", fence_})[0]; }

Reply Store::step(const std::string& operation, const std::string& uid, const std::string& id, const std::string& giver,
                  const std::vector<std::string>& arguments) {
  if (epoch_.empty()) renew();
  for (;;) {
    if (sha_.empty()) sha_ = ask({"SCRIPT", "LOAD", script_})[0];
    std::vector<std::string> command = {"EVALSHA", sha_, "5", fence_, open_key(uid), players_key(),
                                        "bridge:wallet:" + own_ + ":" + uid, stored_key(giver, uid), epoch_, operation,
                                        own_, uid, id, "shared"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    redisReply* reply = once(command);
    Reply words;
    if (reply && reply->type == REDIS_REPLY_ARRAY) {
      for (size_t i = 0; i < reply->elements; ++i) {
        words.emplace_back(reply->element[i]->str ? reply->element[i]->str : "", reply->element[i]->len);
      }
    } else if (reply && reply->type == REDIS_REPLY_ERROR) {
      std::string text = reply->str;
      if (text.rfind("NOSCRIPT", 0) == 0) {
        sha_.clear();
      } else {
        std::fprintf(stderr, "bridge: %s of %s for player %s: %s\n", operation.c_str(), id.c_str(), uid.c_str(), text.c_str());
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
    }
    if (reply) freeReplyObject(reply);
    if (!words.empty() && words[0] != "fenced") return words;
    renew();  // it is unknown whether the step was done, or somebody took the fence
  }
}

long long Store::publish(const std::string& channel, const std::string& message) {
  redisReply* reply = once({"PUBLISH", channel, message});
  long long count = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : -1;
  if (reply) freeReplyObject(reply);
  return count;
}

Ids::Ids(const std::string& own) {
  std::random_device source;
  unsigned long long random = static_cast<unsigned long long>(source()) << 32 | source();
  prefix_ = own + "-" + base36(random) + "-";
  session_ = (static_cast<unsigned long long>(std::time(nullptr)) << 20) + (random & 0xfffff);
}

std::string Ids::transfer() { return prefix_ + base36(++transfers_); }

}  // namespace bridge
