// SPDX-License-Identifier: Apache-2.0
// The answers that a load balancer gets at this node's health check ports, and the problems that the agent reports.
#include "loader/serve/health_servers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

#include "tests/unit/serve_client.hpp"

namespace weir::serve::test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const model::ObjectName web{.name_space = "shop", .name = "web"};
const model::ObjectName api{.name_space = "shop", .name = "api"};

class HealthServersTest : public testing::Test {
protected:
    HealthServersTest() {
        loop_.run([&] {
            servers_.emplace(
                loop_.io(), [this] { return healthy_.load(); },
                [this] {
                    if (servers_->problems().empty()) recovered_.set_value();
                },
                ServeLimits{.connections = 16, .patience = 20s, .retry = 20ms});
            servers_->set_addresses({address("127.0.0.1")});
        });
    }
    ~HealthServersTest() override {
        loop_.run([&] { servers_.reset(); });
    }

    template <class Function>
    void change(Function function) {
        loop_.run([&] {
            function(*servers_);
            servers_->sync();
        });
    }
    void set(const model::ObjectName& service, std::uint16_t port, std::uint32_t endpoints) {
        change([&](auto& servers) { servers.set(service, {.port = port, .local_endpoints = endpoints}); });
    }
    std::vector<std::string> problems() {
        return loop_.run([&] {
            std::vector<std::string> out;
            for (const auto& problem : servers_->problems()) out.push_back(problem.to_string());
            return out;
        });
    }

    Loop loop_;
    std::atomic<bool> healthy_ = true;
    std::promise<void> recovered_;
    std::optional<HealthServers> servers_;
    std::uint16_t port_ = free_port();
};

TEST_F(HealthServersTest, SaysHowManyEndpointsThereAre) {
    set(web, port_, 3);
    auto answer = Client(port_).get("/");
    EXPECT_EQ(answer.result_int(), 200);
    EXPECT_EQ(answer.body(),
              R"({"service":{"namespace":"shop","name":"web"},"localEndpoints":3,"serviceProxyHealthy":true})");
    EXPECT_EQ(answer["Content-Type"], "application/json");
    EXPECT_EQ(answer["X-Load-Balancing-Endpoint-Weight"], "3");
    EXPECT_EQ(answer["X-Content-Type-Options"], "nosniff");
    EXPECT_EQ(answer["Content-Length"], std::to_string(answer.body().size()));
    EXPECT_EQ(Client(port_).get("/any/path").result_int(), 200);
}

TEST_F(HealthServersTest, WithoutEndpointsItIsUnavailable) {
    set(web, port_, 0);
    auto answer = Client(port_).get();
    EXPECT_EQ(answer.result_int(), 503);
    EXPECT_EQ(answer["X-Load-Balancing-Endpoint-Weight"], "0");
    EXPECT_THAT(answer.body(), HasSubstr(R"("localEndpoints":0)"));
}

TEST_F(HealthServersTest, WithAnUnhealthyProxyItIsUnavailable) {
    set(web, port_, 2);
    healthy_ = false;
    auto answer = Client(port_).get();
    EXPECT_EQ(answer.result_int(), 503);
    EXPECT_THAT(answer.body(), HasSubstr(R"("localEndpoints":2,"serviceProxyHealthy":false)"));
}

TEST_F(HealthServersTest, AChangedCountReachesOpenConnections) {
    set(web, port_, 1);
    Client client(port_);
    EXPECT_EQ(client.get().result_int(), 200);
    set(web, port_, 0);
    EXPECT_EQ(client.get().result_int(), 503);
    set(web, port_, 5);
    EXPECT_EQ(client.get()["X-Load-Balancing-Endpoint-Weight"], "5");
}

TEST_F(HealthServersTest, OthersComeAndGoWithoutDisturbance) {
    set(web, port_, 1);
    Client client(port_);
    EXPECT_EQ(client.get().result_int(), 200);
    auto other = free_port();
    set(api, other, 1);
    EXPECT_THAT(Client(other).get().body(), HasSubstr(R"("name":"api")"));
    change([&](auto& servers) { servers.remove(api); });
    EXPECT_TRUE(is_refused(other));
    EXPECT_EQ(client.get().result_int(), 200);
}

TEST_F(HealthServersTest, ServicesTradePortsInOneChange) {
    auto other = free_port();
    set(api, port_, 1);
    set(web, other, 2);
    change([&](auto& servers) {
        servers.set(api, {.port = other, .local_endpoints = 1});
        servers.set(web, {.port = port_, .local_endpoints = 2});
    });
    EXPECT_THAT(Client(port_).get().body(), HasSubstr(R"("name":"web")"));
    EXPECT_THAT(Client(other).get().body(), HasSubstr(R"("name":"api")"));
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(HealthServersTest, ListensAtEveryAddressOfTheNode) {
    change([&](auto& servers) {
        servers.set_addresses({address("127.0.0.1"), address("127.0.0.2"), address("::1")});
        servers.set(web, {.port = port_, .local_endpoints = 1});
    });
    EXPECT_THAT(problems(), IsEmpty());
    Client first(port_);
    for (const auto* host : {"127.0.0.1", "127.0.0.2", "::1"})
        EXPECT_EQ(Client(port_, host).get().result_int(), 200) << host;
    EXPECT_TRUE(is_refused(port_, "127.0.0.3"));
    change([&](auto& servers) { servers.set_addresses({address("127.0.0.1"), address("127.0.0.3")}); });
    EXPECT_TRUE(is_refused(port_, "127.0.0.2"));
    EXPECT_EQ(Client(port_, "127.0.0.3").get().result_int(), 200);
    EXPECT_EQ(first.get().result_int(), 200);
}

TEST_F(HealthServersTest, TheFirstInNameOrderHasAPortThatTwoName) {
    set(web, port_, 1);
    set(api, port_, 0);
    EXPECT_THAT(Client(port_).get().body(), HasSubstr(R"("name":"api")"));
    EXPECT_THAT(problems(), testing::ElementsAre(AllOf(HasSubstr("Service shop/web: "), HasSubstr("shop/api"),
                                                       HasSubstr("choose another"))));
    change([&](auto& servers) { servers.remove(api); });
    EXPECT_THAT(Client(port_).get().body(), HasSubstr(R"("name":"web")"));
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(HealthServersTest, APortThatIsTakenIsReportedAndTriedAgain) {
    asio::io_context io;
    std::optional<asio::ip::tcp::acceptor> other(std::in_place, io,
                                                 asio::ip::tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0));
    port_ = other->local_endpoint().port();
    set(web, port_, 1);
    auto said = problems();
    ASSERT_THAT(said, SizeIs(1));
    EXPECT_THAT(said[0], AllOf(HasSubstr("Service shop/web: healthCheckNodePort " + std::to_string(port_)),
                               HasSubstr("127.0.0.1: Address already in use"), HasSubstr("choose another")));
    other.reset();
    ASSERT_EQ(recovered_.get_future().wait_for(20s), std::future_status::ready);
    EXPECT_EQ(Client(port_).get().result_int(), 200);
    EXPECT_THAT(problems(), IsEmpty());
}

TEST_F(HealthServersTest, AnAddressThatTheNodeLacksHarmsNoOther) {
    change([&](auto& servers) {
        servers.set_addresses({address("127.0.0.1"), address("192.0.2.1")});
        servers.set(web, {.port = port_, .local_endpoints = 1});
    });
    EXPECT_EQ(Client(port_).get().result_int(), 200);
    EXPECT_THAT(problems(), testing::ElementsAre(AllOf(HasSubstr("192.0.2.1"), HasSubstr("Node object"))));
}

}  // namespace
}  // namespace weir::serve::test
