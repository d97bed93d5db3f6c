// SPDX-License-Identifier: Apache-2.0
// The HTTP server's answers to correct requests, and its limits against other clients.
#include "loader/serve/http_server.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "tests/unit/serve_client.hpp"

namespace weir::serve::test {
namespace {

using namespace std::chrono_literals;

class HttpServerTest : public testing::Test {
protected:
    void listen(std::size_t connections = 8, std::chrono::milliseconds patience = 20s) {
        all_ = std::make_shared<Connections>(connections);
        auto handler = [](std::string_view path) -> Response {
            return {.body = "you asked for " + std::string(path), .headers = {{"X-Extra", "7"}}};
        };
        loop_.run([&] {
            auto server = HttpServer::listen(loop_.io(), at("127.0.0.1:0"), handler, all_, patience);
            port_ = server.value().port();
            server_.emplace(std::move(*server));
        });
    }
    void TearDown() override {
        loop_.run([&] { server_.reset(); });
    }
    Client client() const { return Client(port_); }

    Loop loop_;
    std::shared_ptr<Connections> all_;
    std::optional<HttpServer> server_;
    std::uint16_t port_ = 0;
};

TEST_F(HttpServerTest, AnswersGet) {
    listen();
    auto answer = client().get("/here?with=query");
    EXPECT_EQ(answer.result_int(), 200);
    EXPECT_EQ(answer.body(), "you asked for /here");
    EXPECT_EQ(answer["Content-Type"], "application/json");
    EXPECT_EQ(answer["X-Content-Type-Options"], "nosniff");
    EXPECT_EQ(answer["Content-Length"], "19");
    EXPECT_EQ(answer["X-Extra"], "7");
}

TEST_F(HttpServerTest, AnswersHeadWithoutBody) {
    listen();
    auto one = client();
    auto answer = one.ask("HEAD", "/here");
    EXPECT_EQ(answer.result_int(), 200);
    EXPECT_EQ(answer["Content-Length"], "19");
    EXPECT_EQ(answer.body(), "");
    // No body follows the answer to HEAD, so the client can read the next answer.
    EXPECT_EQ(one.get("/next").body(), "you asked for /next");
}

TEST_F(HttpServerTest, RefusesOtherMethodsAndReadsNoBody) {
    listen();
    auto one = client();
    auto answer = one.ask("POST", "/here", "Content-Length: 26\r\n\r\nGET /smuggled HTTP/1.1\r\n");
    EXPECT_EQ(answer.result_int(), 405);
    EXPECT_EQ(answer["Allow"], "GET, HEAD");
    EXPECT_FALSE(answer.keep_alive());
    EXPECT_EQ(client().ask("DELETE", "/").result_int(), 405);
}

TEST_F(HttpServerTest, AnswersSeveralRequestsOnOneConnection) {
    listen();
    auto one = client();
    for (const std::string path : {"/1", "/2", "/3"}) EXPECT_EQ(one.get(path).body(), "you asked for " + path);
    one.send("GET /4 HTTP/1.1\r\nHost: a\r\n\r\nGET /5 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(one.receive().body(), "you asked for /4");
    EXPECT_EQ(one.receive().body(), "you asked for /5");
}

TEST_F(HttpServerTest, EndsTheConnectionWhereTheClientAsksForIt) {
    listen();
    auto one = client();
    one.send("GET / HTTP/1.0\r\n\r\n");
    EXPECT_EQ(one.receive().result_int(), 200);
}

TEST_F(HttpServerTest, RefusesHugeHeaders) {
    listen();
    auto one = client();
    EXPECT_EQ(one.ask("GET", "/", "X-Huge: " + std::string(20000, 'x') + "\r\n").result_int(), 431);
    auto many = client();
    std::string lines;
    for (int i = 0; i < 1000; ++i) lines += "X-" + std::to_string(i) + ": x\r\n";
    EXPECT_EQ(many.ask("GET", "/", lines).result_int(), 431);
    EXPECT_EQ(client().ask("GET", "/" + std::string(20000, 'x')).result_int(), 431);
}

TEST_F(HttpServerTest, RefusesWhatIsNotHttp) {
    listen();
    for (const std::string noise :
         {"\x16\x03\x01\x02\x01\xfc\x03\x03 hello", "SSH-2.0-OpenSSH_9\r\n\r\n", "\r\n\r\n\r\n"}) {
        auto one = client();
        one.send(noise + "\r\n\r\n");
        EXPECT_EQ(one.receive().result_int(), 400) << noise;
    }
    EXPECT_EQ(client().get().result_int(), 200);
}

TEST_F(HttpServerTest, GivesUpOnClientsThatDawdle) {
    listen(8, 30ms);
    auto silent = client();
    auto slow = client();
    slow.send("GET / HTTP/1.1\r\nHos");
    EXPECT_TRUE(silent.is_closed_by_server());
    EXPECT_TRUE(slow.is_closed_by_server());
    EXPECT_EQ(silent.rest() + slow.rest(), "");
}

TEST_F(HttpServerTest, ACrowdOfSilentClientsLocksNobodyOut) {
    listen(4);
    std::vector<std::unique_ptr<Client>> crowd;
    for (int i = 0; i < 50; ++i) {
        crowd.push_back(std::make_unique<Client>(port_));
        crowd.back()->send("GET / HTTP/1.1\r\n");
    }
    EXPECT_EQ(client().get().result_int(), 200);
    // The server has closed the oldest connections.
    for (int i = 0; i < 46; ++i) EXPECT_TRUE(crowd[static_cast<std::size_t>(i)]->is_closed_by_server());
    EXPECT_LE(loop_.run([&] { return all_->count(); }), 4u);
}

TEST_F(HttpServerTest, WhoAsksKeepsItsPlaceInTheCrowd) {
    listen(4);
    auto steady = client();
    std::vector<std::unique_ptr<Client>> crowd;
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(steady.get().result_int(), 200);
        crowd.push_back(std::make_unique<Client>(port_));
    }
    EXPECT_EQ(steady.get().result_int(), 200);
}

TEST_F(HttpServerTest, ItsEndIsThatOfItsConnections) {
    listen();
    auto idle = client();
    EXPECT_EQ(idle.get().result_int(), 200);
    auto unfinished = client();
    unfinished.send("GET / HT");
    loop_.run([&] { server_.reset(); });
    EXPECT_TRUE(idle.is_closed_by_server());
    EXPECT_TRUE(unfinished.is_closed_by_server());
    EXPECT_TRUE(is_refused(port_));
    EXPECT_EQ(loop_.run([&] { return all_->count(); }), 0u);
}

TEST_F(HttpServerTest, SaysThatAPortIsTaken) {
    listen();
    loop_.run([&] {
        auto second = HttpServer::listen(loop_.io(), {address("127.0.0.1"), port_}, {}, all_);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error(), asio::error::address_in_use);
    });
}

TEST(SocketAddress, IsReadAsItIsWritten) {
    for (const std::string text : {"127.0.0.1:10256", "0.0.0.0:1", "[::]:10256", "[fd00::1]:65535"})
        EXPECT_EQ(at(text).to_string(), text);
    for (const std::string text : {"", ":80", "10.0.0.1", "10.0.0.1:", "10.0.0.1:65536", "10.0.0.1:x", "::1:80",
                                   "[::1]", "[10.0.0.1]:80", "localhost:80", "10.0.0.1:-1", "[::1:80"})
        EXPECT_FALSE(model::SocketAddress::parse(text)) << text;
}

}  // namespace
}  // namespace weir::serve::test
