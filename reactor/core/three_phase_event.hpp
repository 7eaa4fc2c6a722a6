#pragma once

#include <reactor/deferred.hpp>
#include <reactor/function.hpp>
#include <reactor/reactor.hpp>

#include <cstdint>
#include <list>
#include <memory>

namespace torsion::core {

/// The triggers of one system event. Fired, it runs the "before" triggers, waits for the Deferreds that they returned,
/// then runs "during", then "after", each once (S-118, S-121). What a trigger throws, or its Deferred fails with, is
/// logged, and the rest goes on (S-72). Reactor's thread; destroying it abandons a fire that waits.
class ThreePhaseEvent {
public:
    using Trigger = Function<Deferred<void>()>;

    explicit ThreePhaseEvent(const char* name) : state_(std::make_shared<State>(name)) {}
    ThreePhaseEvent(const ThreePhaseEvent&) = delete;
    ThreePhaseEvent& operator=(const ThreePhaseEvent&) = delete;
    ~ThreePhaseEvent();

    void add(TriggerId id, EventPhase phase, Trigger trigger);

    /// False when there is no such trigger (any more).
    bool remove(TriggerId id) noexcept;

    /// @param onDuring runs between the "before" triggers' end and the first "during" trigger: the reactor's own part.
    ///        Its Deferred is waited for.
    /// @param onDone runs after the last "after" trigger.
    void fire(Function<Deferred<void>()> onDuring, Function<void()> onDone);

    /// Forgets a fire that waits for its "before" triggers; the triggers that have not run stay.
    void abandon() noexcept;

    /// Drops every trigger, too.
    void clear() noexcept;

private:
    struct Entry {
        TriggerId id;
        Trigger trigger;
    };
    struct State {
        explicit State(const char* eventName) : name(eventName) {}
        const char* name;
        std::list<Entry> phases[3];
        Function<Deferred<void>()> onDuring;
        Function<void()> onDone;
        std::uint64_t fires = 0; // which fire this is: what waits for an earlier one is forgotten
        std::size_t pending = 0; // Deferreds waited for, and one while triggers are being called
    };

    static void runPhase(const std::shared_ptr<State>& state, EventPhase phase);
    static void call(const std::shared_ptr<State>& state, Entry& entry, bool waitFor);
    static void await(const std::shared_ptr<State>& state, Deferred<void> deferred,
                      void (*then)(const std::shared_ptr<State>&));
    static void settled(const std::shared_ptr<State>& state, std::uint64_t fire,
                        void (*then)(const std::shared_ptr<State>&));
    static void during(const std::shared_ptr<State>& state);
    static void rest(const std::shared_ptr<State>& state);

    std::shared_ptr<State> state_;
};

} // namespace torsion::core
