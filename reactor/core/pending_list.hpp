#pragma once

#include <reactor/function.hpp>
#include <reactor/reactor.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>

namespace torsion::detail {

/// The operations of a reactor that are under way elsewhere. Owned by the reactor, watched by PendingOperations.
class PendingList {
public:
    /// @param onChange called with whether there are any, when that changes.
    explicit PendingList(Function<void(bool)> onChange) : onChange_(std::move(onChange)) {}

    std::uint64_t add(Function<void()> onDestroyed);
    void remove(std::uint64_t id) noexcept;
    std::size_t size() const noexcept { return operations_.size(); }
    bool empty() const noexcept { return operations_.empty(); }

    /// The function of the oldest one, which is forgotten. There is one.
    Function<void()> takeFirst();

private:
    std::map<std::uint64_t, Function<void()>> operations_;
    std::uint64_t lastId_ = 0;
    Function<void(bool)> onChange_;
};

} // namespace torsion::detail
