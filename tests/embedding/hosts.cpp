#include "embedding/host.hpp"

namespace torsion::test {

namespace {

std::vector<HostKind>& kinds() {
    static std::vector<HostKind> all;
    return all;
}

} // namespace

const std::vector<HostKind>& hostKinds() {
    return kinds();
}

RegisterHost::RegisterHost(const HostKind& kind) {
    kinds().push_back(kind);
}

} // namespace torsion::test
