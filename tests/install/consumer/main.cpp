#include <reactor/version.hpp>

#include <cstdio>

int main() {
    std::printf("torsion %s\n", torsion::version());
    return torsion::kVersionMajor == 0 ? 0 : 1;
}
