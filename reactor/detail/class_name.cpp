#include <reactor/detail/class_name.hpp>

#include <cxxabi.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

namespace torsion::detail {

std::string className(const std::type_info& type) {
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> name(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                           &std::free);
    if (status != 0)
        return type.name();
    std::string result = name.get();
    constexpr std::string_view kUnnamed = "(anonymous namespace)::"; // says nothing to who reads a log
    for (std::size_t at; (at = result.find(kUnnamed)) != std::string::npos;)
        result.erase(at, kUnnamed.size());
    return result;
}

} // namespace torsion::detail
