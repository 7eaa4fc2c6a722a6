#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstring>
#include <vector>

/// Runs the doctest cases. Those of the suite "long" run with --long alone.
int main(int argc, char** argv) {
    bool runLong = false;
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
