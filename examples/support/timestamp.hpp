#pragma once

#include <reactor/factory.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace examples {

/// The timestamp server that every program in embedding/ has inside: answers with the time and what it received, says
/// who comes and goes, and counts.
class TimestampServer : public torsion::Factory {
public:
    using Told = std::function<void(const std::string& line)>;

    /// @param told what happens; by default it is printed.
    explicit TimestampServer(Told told = {});

    std::shared_ptr<torsion::Protocol> buildProtocol(const torsion::Address& peer) override;

    /// How many messages have been answered.
    std::uint64_t answered() const noexcept { return answered_; }

    /// Prints that, for the host's timer.
    void printAnswered() const;

private:
    class Connection;

    Told told_;
    std::uint64_t answered_ = 0;
};

} // namespace examples
