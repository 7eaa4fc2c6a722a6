#include "loop.hpp"

#include <reactor/embedding/qt.hpp>

#include <QCoreApplication>
#include <QtGlobal>

#include <utility>

namespace torsion::benchmarks {

namespace {

void run(Embedding embedding, Work& work) {
    int argc = 1;
    char name[] = "host_costs";
    char* argv[] = {name, nullptr};
    QCoreApplication application(argc, argv);
    work.quit = [] { QCoreApplication::quit(); };
    const QtAdapter adapter(std::move(embedding));
    QCoreApplication::exec();
}

const RegisterLoop registered{{QT_VERSION_MAJOR == 5 ? "Qt 5" : "Qt 6", 1.5, {}, &run}};

} // namespace

} // namespace torsion::benchmarks
