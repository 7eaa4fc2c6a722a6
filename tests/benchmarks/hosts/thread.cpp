#include "loop.hpp"

#include <reactor/embedding/thread.hpp>

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

namespace torsion::benchmarks {

namespace {

/// A host that knows posted functions and nothing else.
class Queue {
public:
    void post(ThreadAdapter::Task task) {
        {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        posted_.notify_one();
    }

    void runUntil(const bool& done) {
        std::vector<ThreadAdapter::Task> tasks;
        while (!done) {
            {
                std::unique_lock lock(mutex_);
                posted_.wait(lock, [&] { return !tasks_.empty(); });
                tasks.swap(tasks_);
            }
            for (const ThreadAdapter::Task& task : tasks)
                task();
            tasks.clear();
        }
    }

private:
    std::mutex mutex_;
    std::condition_variable posted_;
    std::vector<ThreadAdapter::Task> tasks_;
};

void run(Work& work) {
    bool done = false;
    work.quit = [&] { done = true; };
    Queue queue;
    const ThreadAdapter inside(work.embed(), [&](ThreadAdapter::Task task) { queue.post(std::move(task)); });
    queue.runUntil(done);
}

const RegisterLoop registered{{"thread", 0, &run}}; // two processors pass each event on

} // namespace

} // namespace torsion::benchmarks
