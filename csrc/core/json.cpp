#include "core/json.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>

namespace speedwell {

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : text_(text) {}

  Json document() {
    Json value = read(0);
    space();
    if (at_ != text_.size()) fail("text after the end");
    return value;
  }

 private:
  static constexpr int kDepth = 64;

  [[noreturn]] void fail(const char* what) const {
    throw Error(Fault::plan, std::string("not JSON: ") + what + " at byte " + std::to_string(at_));
  }

  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      ++at_;
  }

  char peek() {
    space();
    if (at_ >= text_.size()) fail("it ends early");
    return text_[at_];
  }

  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json read(int depth) {
    if (depth > kDepth) fail("nested too deep");
    Json value;
    switch (peek()) {
      case '{': return object(depth);
      case '[': return array(depth);
      case '"':
        value.kind_ = Json::Kind::string;
        value.string_ = string();
        return value;
      case 't':
      case 'f':
        value.kind_ = Json::Kind::boolean;
        value.boolean_ = text_[at_] == 't';
        if (!take(value.boolean_ ? "true" : "false")) fail("an unknown word");
        return value;
      case 'n':
        if (!take("null")) fail("an unknown word");
        return value;
      default: return number();
    }
  }

  Json object(int depth) {
    Json value;
    value.kind_ = Json::Kind::object;
    ++at_;
    if (peek() == '}') return ++at_, value;
    for (;;) {
      if (peek() != '"') fail("a key is missing");
      std::string key = string();
      if (peek() != ':') fail("':' is missing");
      ++at_;
      if (!value.object_.emplace(std::move(key), read(depth + 1)).second) fail("a key stands twice");
      const char next = peek();
      ++at_;
      if (next == '}') return value;
      if (next != ',') fail("',' or '}' is missing");
    }
  }

  Json array(int depth) {
    Json value;
    value.kind_ = Json::Kind::array;
    ++at_;
    if (peek() == ']') return ++at_, value;
    for (;;) {
      value.array_.push_back(read(depth + 1));
      const char next = peek();
      ++at_;
      if (next == ']') return value;
      if (next != ',') fail("',' or ']' is missing");
    }
  }

  std::string string() {
    std::string out;
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '"') return ++at_, out;
      if (static_cast<unsigned char>(c) < 0x20) fail("a control character in a string");
      if (c != '\\') {
        out += c;
        continue;
      }
      if (++at_ >= text_.size()) break;
      static constexpr char kFrom[] = "\"\\/bfnrt", kTo[] = "\"\\/\b\f\n\r\t";
      if (text_[at_] == 'u') {
        code_point(out);
      } else if (const size_t i = std::string_view(kFrom).find(text_[at_]); i != std::string_view::npos) {
        out += kTo[i];
      } else {
        fail("an unknown escape");
      }
    }
    fail("a string does not end");
  }

  unsigned four_digits() {
    unsigned value = 0;
    for (int i = 0; i < 4; ++i) {
      if (++at_ >= text_.size()) fail("a string does not end");
      const char c = text_[at_];
      const int digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (digit < 0) fail("a bad \\u escape");
      value = value * 16 + static_cast<unsigned>(digit);
    }
    return value;
  }

  void code_point(std::string& out) {
    unsigned code = four_digits();
    if (code >= 0xD800 && code < 0xDC00) {
      if (text_.substr(at_ + 1, 2) != "\\u") fail("half of a surrogate pair");
      at_ += 2;
      const unsigned low = four_digits();
      if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    const auto byte = [&out](unsigned value) { out += static_cast<char>(value); };
    if (code < 0x80) {
      byte(code);
    } else if (code < 0x800) {
      byte(0xC0 | code >> 6), byte(0x80 | (code & 63));
    } else if (code < 0x10000) {
      byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63));
    } else {
      byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63));
    }
  }

  Json number() {
    const size_t start = at_;
    while (at_ < text_.size() && std::string_view("+-0123456789.eE").find(text_[at_]) != std::string_view::npos) ++at_;
    const std::string word(text_.substr(start, at_ - start));
    if (word.empty()) fail("an unknown character");
    Json value;
    char* end = nullptr;
    errno = 0;
    if (word.find_first_of(".eE") == std::string::npos) {
      value.kind_ = Json::Kind::integer;
      value.integer_ = std::strtoll(word.c_str(), &end, 10);
    } else {
      value.kind_ = Json::Kind::real;
      value.real_ = std::strtod(word.c_str(), &end);
    }
    if (*end || (errno == ERANGE && value.kind_ == Json::Kind::integer) || !std::isfinite(value.real_))
      fail("a bad number");
    return value;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Json Json::parse(std::string_view text) { return JsonReader(text).document(); }

namespace {
void expect(bool held, const char* what) {
  if (!held) throw Error(Fault::plan, std::string("the plan has another kind of value where ") + what + " must stand");
}
}  // namespace

bool Json::boolean() const {
  expect(kind_ == Kind::boolean, "true or false");
  return boolean_;
}

int64_t Json::integer() const {
  expect(kind_ == Kind::integer, "an integer");
  return integer_;
}

double Json::real() const {
  expect(kind_ == Kind::integer || kind_ == Kind::real, "a number");
  return kind_ == Kind::integer ? static_cast<double>(integer_) : real_;
}

const std::string& Json::string() const {
  expect(kind_ == Kind::string, "a string");
  return string_;
}

const std::vector<Json>& Json::array() const {
  expect(kind_ == Kind::array, "an array");
  return array_;
}

const std::map<std::string, Json>& Json::object() const {
  expect(kind_ == Kind::object, "an object");
  return object_;
}

const Json* Json::find(const std::string& key) const {
  const auto& members = object();
  const auto found = members.find(key);
  return found == members.end() ? nullptr : &found->second;
}

const Json& Json::operator[](const std::string& key) const {
  const Json* found = find(key);
  if (!found) throw Error(Fault::plan, "the plan lacks \"" + key + "\"");
  return *found;
}

int64_t Json::integer(const std::string& key, int64_t otherwise) const {
  const Json* found = find(key);
  return found ? found->integer() : otherwise;
}

double Json::real(const std::string& key, double otherwise) const {
  const Json* found = find(key);
  return found ? found->real() : otherwise;
}

bool Json::boolean(const std::string& key, bool otherwise) const {
  const Json* found = find(key);
  return found ? found->boolean() : otherwise;
}

std::string Json::string(const std::string& key, const std::string& otherwise) const {
  const Json* found = find(key);
  return found ? found->string() : otherwise;
}

std::vector<int64_t> Json::integers(const std::string& key) const {
  std::vector<int64_t> out;
  for (const Json& value : (*this)[key].array()) out.push_back(value.integer());
  return out;
}

}  // namespace speedwell
