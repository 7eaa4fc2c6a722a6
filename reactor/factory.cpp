#include <reactor/factory.hpp>

#include <reactor/detail/class_name.hpp>
#include <reactor/log.hpp>

#include <typeinfo>

namespace torsion {

Factory::~Factory() = default;

std::string Factory::logPrefix() const {
    return detail::className(typeid(*this));
}

std::string detail::factoryName(const std::type_info* protocol) {
    return protocol ? detail::className(*protocol) + "Factory" : "Factory";
}

void Factory::doStart() {
    if (users_++ != 0)
        return;
    if (noisy)
        log::info("Starting factory {}", logPrefix());
    try {
        startFactory();
    } catch (...) {
        --users_; // whoever asked does not use it, and the next one starts it
        throw;
    }
}

void Factory::doStop() {
    if (users_ == 0 || --users_ != 0)
        return;
    if (noisy)
        log::info("Stopping factory {}", logPrefix());
    stopFactory();
}

} // namespace torsion
