#include "loop.hpp"

#include <reactor/embedding/qt.hpp>

#include <QCoreApplication>
#include <QtGlobal>

namespace torsion::benchmarks {

namespace {

void run(Work& work) {
    int argc = 1;
    char name[] = "host_costs";
    char* argv[] = {name, nullptr};
    QCoreApplication application(argc, argv);
    work.quit = [] { QCoreApplication::quit(); };
    const QtAdapter adapter(work.embed());
    QCoreApplication::exec();
}

const RegisterLoop registered{{QT_VERSION_MAJOR == 5 ? "Qt 5" : "Qt 6", 1.5, &run}};

} // namespace

} // namespace torsion::benchmarks
