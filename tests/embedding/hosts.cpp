#include "embedding/host.hpp"

#include <cstdlib>

namespace torsion::test {

namespace {

std::vector<HostKind>& kinds() {
    static std::vector<HostKind> all;
    return all;
}

} // namespace

std::unique_ptr<UvReactor> Host::makeReactor() {
    return std::make_unique<UvReactor>();
}

const std::vector<HostKind>& hostKinds() {
    static const std::vector<HostKind> chosen = [] {
        std::vector<HostKind> all = kinds();
        if (const char* name = std::getenv("TORSION_HOST"))
            std::erase_if(all, [name](const HostKind& kind) { return kind.name.find(name) == kind.name.npos; });
        return all;
    }();
    return chosen;
}

RegisterHost::RegisterHost(const HostKind& kind) {
    kinds().push_back(kind);
}

} // namespace torsion::test
