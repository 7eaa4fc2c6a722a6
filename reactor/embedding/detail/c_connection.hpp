#pragma once

#include <reactor/address.hpp>
#include <reactor/embedding/detail/c_handles.hpp>
#include <reactor/embedding/torsion.h>
#include <reactor/factory.hpp>
#include <reactor/producer.hpp>
#include <reactor/protocol.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace torsion::c {
class Connection;
}

/// A connection of C. The handle stays when the connection is lost.
struct torsion_connection : torsion::c::Counted {
    torsion_connection(torsion_reactor& reactor, torsion::c::Connection& made, void* pointer)
        : owner(reactor), protocol(&made), user(pointer) {}

    const torsion::c::Hold<torsion_reactor> owner;
    torsion::c::Connection* protocol; // null once connection_lost has returned
    torsion::Address peer;            // then
    torsion::Address host;
    void* user;
};

namespace torsion::c {

/// A caller's functions, and the connections that they are for.
class Handlers final : public ClientFactory {
public:
    Handlers(torsion_reactor& reactor, const torsion_handlers& functions, void* user)
        : reactor_(reactor), functions_(functions), user_(user) {}
    ~Handlers() override;

    /// From now on the functions are called, and `released` is owed: the caller was told that it has begun. What failed
    /// half-way in the core ends without a word.
    void keep() noexcept { kept_ = true; }

    const torsion_handlers& functions() const noexcept { return functions_; }
    std::string logPrefix() const override { return "C"; }

    std::shared_ptr<Protocol> buildProtocol(const Address& peer) override;
    void clientConnectionFailed(const std::shared_ptr<Connector>& connector, const Failure& reason) override;

private:
    const Hold<torsion_reactor> reactor_;
    const torsion_handlers functions_;
    void* const user_;
    bool kept_ = false;
};

/// A connection whose protocol is functions of C.
class Connection final : public Protocol {
public:
    Connection(torsion_reactor& reactor, const Handlers& handlers, void* user);
    ~Connection() override;

    void connectionMade() override;
    void dataReceived(std::string_view data) override;
    void connectionLost(const Failure& reason) override;
    void readConnectionLost() override;
    void writeConnectionLost() override;
    std::string logPrefix() const override { return "C"; }

    torsion_connection& handle() const noexcept { return *handle_; }

    /// Where what is written here comes from; kept when it is unregistered, as its function may be on the stack.
    std::unique_ptr<Producer> producer;
    bool isProducing = false; // it is registered

private:
    template <class F, class... Args>
    bool call(F f, Args... args);
    void lose() noexcept;

    const torsion_handlers& functions_; // of the factory, which the transport holds until the loss
    const Hold<torsion_connection> handle_;
};

/// A failure as C sees it, for as long as this lives.
class Reason {
public:
    explicit Reason(const Failure& failure);
    const torsion_reason* get() const noexcept { return &reason_; }

private:
    std::string name_;
    std::string message_;
    torsion_reason reason_{};
};

} // namespace torsion::c
