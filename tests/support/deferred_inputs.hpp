#pragma once

#include <reactor/deferred.hpp>

#include <cstddef>
#include <utility>
#include <vector>

namespace torsion::test {

/// Promises and their Deferreds, for what takes several. Counts who was cancelled.
template <class T>
class Inputs {
public:
    explicit Inputs(std::size_t count) : promises(count), cancelled(count, 0) {
        for (std::size_t i = 0; i < count; ++i)
            promises[i].onCancel([this, i] { ++cancelled[i]; });
    }
    Inputs(const Inputs&) = delete;
    Inputs& operator=(const Inputs&) = delete;

    std::vector<Deferred<T>> deferreds() {
        std::vector<Deferred<T>> all;
        for (Promise<T>& promise : promises)
            all.push_back(promise.deferred());
        return all;
    }

    std::vector<Promise<T>> promises;
    std::vector<int> cancelled;
};

} // namespace torsion::test
