// Names that this machine goes by, and pages whose scripts may ask, as people write them.
#include "server/access.h"

#include <gtest/gtest.h>

namespace skein::server {
namespace {

TEST(OriginRule, takes_origins_as_people_write_them_and_refuses_what_no_browser_sends) {
  OriginRule rule;
  for (const char* origin : {"https://Chat.example/", "https://a.example:443",
                             "http://b.example:80/", "http://localhost:3000", "null"})
    EXPECT_TRUE(rule.add(origin)) << origin;
  for (const char* sent : {"https://chat.example", "https://a.example", "http://b.example",
                           "http://localhost:3000", "null"})
    EXPECT_TRUE(rule.allows(sent)) << sent;
  EXPECT_FALSE(rule.allows("http://chat.example"));
  EXPECT_FALSE(rule.allows("http://localhost"));
  for (const char* origin : {"", "chat.example", "https://", "://a", "https://a/page",
                             "https://a b", "https://user@a", "https://a,https://b"})
    EXPECT_FALSE(rule.add(origin)) << origin;
}

TEST(HostRule, takes_names_with_a_port_or_without) {
  HostRule rule;
  for (const char* name : {"Skein.example", "other.example:8080", "[fe80::1]:80"})
    EXPECT_TRUE(rule.add(name)) << name;
  for (const char* host : {"skein.example", "other.example", "[fe80::1]"})
    EXPECT_TRUE(rule.allows(host)) << host;
  EXPECT_FALSE(rule.allows("third.example"));
  for (const char* name : {"", ":8080", "http://a", "a:b", "a b", "a/b"})
    EXPECT_FALSE(rule.add(name)) << name;
}

}  // namespace
}  // namespace skein::server
