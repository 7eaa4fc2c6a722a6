#pragma once

#include "environment.hpp"

namespace addon {

/// The object of callbacks that listen() or connect() was given. Lives until the library releases it.
using Callbacks = Reference;

/// What the library calls, with Callbacks as `user`.
torsion_handlers handlers();

} // namespace addon
