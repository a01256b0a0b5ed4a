// JSON, read strictly and with limits, because a plan is not trusted. RFC 8259; no comments, no trailing commas.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace speedwell {

class Json {
 public:
  enum class Kind { null, boolean, integer, real, string, array, object };

  // Throws Fault::plan with the byte where reading stopped. At most 64 levels deep.
  static Json parse(std::string_view text);

  Kind kind() const { return kind_; }

  // Each throws Fault::plan where the value is of another kind.
  bool boolean() const;
  int64_t integer() const;
  double real() const;  // integers too
  const std::string& string() const;
  const std::vector<Json>& array() const;
  const std::map<std::string, Json>& object() const;

  const Json* find(const std::string& key) const;     // null where an object has no such key
  const Json& operator[](const std::string& key) const;  // throws Fault::plan where it is missing

  // Of an object's key, or the default where it is missing.
  int64_t integer(const std::string& key, int64_t otherwise) const;
  double real(const std::string& key, double otherwise) const;
  bool boolean(const std::string& key, bool otherwise) const;
  std::string string(const std::string& key, const std::string& otherwise) const;
  std::vector<int64_t> integers(const std::string& key) const;  // throws where missing

 private:
  friend class JsonReader;
  Kind kind_ = Kind::null;
  bool boolean_ = false;
  int64_t integer_ = 0;
  double real_ = 0;
  std::string string_;
  std::vector<Json> array_;
  std::map<std::string, Json> object_;
};

}  // namespace speedwell
