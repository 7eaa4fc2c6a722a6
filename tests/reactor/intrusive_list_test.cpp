#include <doctest/doctest.h>

#include <reactor/core/intrusive_list.hpp>

#include <memory>
#include <optional>
#include <string>

using namespace torsion::core;

namespace {

struct RedTag;
struct BlueTag;

struct Member : ListHook<RedTag>, ListHook<BlueTag> {
    explicit Member(char itsName) : name(itsName) {}
    char name;
};

using RedList = IntrusiveList<Member, RedTag>;
using BlueList = IntrusiveList<Member, BlueTag>;

template <class List>
std::string namesOf(List& list) {
    std::string names;
    for (Member* each = list.first(); each; each = list.next(*each))
        names += each->name;
    return names;
}

bool isRed(const Member& member) {
    return static_cast<const ListHook<RedTag>&>(member).linked();
}

void unlinkRed(Member& member) {
    static_cast<ListHook<RedTag>&>(member).unlink();
}

} // namespace

TEST_CASE("a list keeps its members in the order of pushing") {
    Member a('a');
    Member b('b');
    Member c('c');
    RedList list;
    CHECK(list.empty());
    CHECK(list.first() == nullptr);
    list.pushBack(a);
    list.pushBack(b);
    list.pushBack(c);
    CHECK(namesOf(list) == "abc");
    CHECK(&list.front() == &a);
}

TEST_CASE("popping takes the first member, and leaves it unlinked") {
    Member a('a');
    Member b('b');
    RedList list;
    list.pushBack(a);
    list.pushBack(b);
    CHECK(&list.popFront() == &a);
    CHECK_FALSE(isRed(a));
    CHECK(&list.popFront() == &b);
    CHECK(list.empty());
}

TEST_CASE("a member leaves from anywhere, and leaving twice does nothing") {
    Member a('a');
    Member b('b');
    Member c('c');
    RedList list;
    list.pushBack(a);
    list.pushBack(b);
    list.pushBack(c);
    unlinkRed(b);
    unlinkRed(b);
    CHECK(namesOf(list) == "ac");
    unlinkRed(a);
    unlinkRed(c);
    CHECK(list.empty());
    list.pushBack(b);
    CHECK(namesOf(list) == "b");
}

TEST_CASE("a member that is destroyed leaves its lists") {
    Member a('a');
    RedList red;
    BlueList blue;
    red.pushBack(a);
    blue.pushBack(a);
    {
        Member b('b');
        red.pushBack(b);
        blue.pushBack(b);
        CHECK(namesOf(red) == "ab");
        CHECK(namesOf(blue) == "ab");
    }
    CHECK(namesOf(red) == "a");
    CHECK(namesOf(blue) == "a");
}

TEST_CASE("tags tell the lists of one object apart") {
    Member a('a');
    RedList red;
    BlueList blue;
    red.pushBack(a);
    blue.pushBack(a);
    unlinkRed(a);
    CHECK(red.empty());
    CHECK(namesOf(blue) == "a");
}

TEST_CASE("a list that is destroyed lets its members go") {
    Member a('a');
    Member b('b');
    {
        RedList list;
        list.pushBack(a);
        list.pushBack(b);
        CHECK(isRed(a));
    }
    CHECK_FALSE(isRed(a));
    CHECK_FALSE(isRed(b));
}

TEST_CASE("takeAll moves everything to the end, in order, and empties the other list") {
    Member a('a');
    Member b('b');
    Member c('c');
    RedList from;
    RedList to;
    to.takeAll(from);
    CHECK(to.empty());
    to.pushBack(a);
    from.pushBack(b);
    from.pushBack(c);
    to.takeAll(from);
    CHECK(from.empty());
    CHECK(namesOf(to) == "abc");
    unlinkRed(c);
    from.pushBack(c);
    CHECK(namesOf(to) == "ab");
    CHECK(namesOf(from) == "c");
}
