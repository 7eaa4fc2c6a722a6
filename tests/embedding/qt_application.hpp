#pragma once

#include <QCoreApplication>

#include <memory>

namespace torsion::test {

/// One at a time.
inline std::unique_ptr<QCoreApplication> makeApplication() {
    static int count = 1;
    static char name[] = "torsion_tests";
    static char* arguments[] = {name, nullptr};
    return std::make_unique<QCoreApplication>(count, arguments);
}

} // namespace torsion::test
