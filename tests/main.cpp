#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <vector>

/// Runs the doctest cases. Those of the suite "long" run only with --long, or with TORSION_LONG in the environment.
int main(int argc, char** argv) {
    bool runLong = std::getenv("TORSION_LONG") != nullptr;
    std::vector<const char*> args;
    for (int i = 0; i < argc; ++i) {
        if (std::strcmp(argv[i], "--long") == 0)
            runLong = true;
        else
            args.push_back(argv[i]);
    }
    doctest::Context context;
    if (!runLong)
        context.addFilter("test-suite-exclude", "long");
    context.applyCommandLine(static_cast<int>(args.size()), args.data());
    return context.run();
}
