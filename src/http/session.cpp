#include "engine.hpp"

#include <heddle/http/session.hpp>

namespace heddle::http {

session::session() : session(session_options{}) {}
session::session(session_options options) : engine_(detail::engine::start(std::move(options))) {}

session::~session() {
    engine_->close(engine_);
}

future<response> session::get(std::string url) {
    http::request what;
    what.url = std::move(url);
    return engine_->submit(std::move(what), __builtin_return_address(0));
}

future<response> session::request(http::request what) {
    return engine_->submit(std::move(what), __builtin_return_address(0));
}

} // namespace heddle::http
