/// libcurl's handles as objects.
#pragma once

#include <curl/curl.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>

namespace heddle::http::detail {

template <auto Release>
struct releasing {
    template <class T>
    void operator()(T* handle) const noexcept {
        Release(handle);
    }
};
using easy_handle = std::unique_ptr<CURL, releasing<curl_easy_cleanup>>;
using multi_handle = std::unique_ptr<CURLM, releasing<curl_multi_cleanup>>;
using share_handle = std::unique_ptr<CURLSH, releasing<curl_share_cleanup>>;
using string_list = std::unique_ptr<curl_slist, releasing<curl_slist_free_all>>;

template <class Handle>
Handle require(Handle made) {
    if (!made) throw std::bad_alloc();
    return made;
}

/// Sets an option that this libcurl knows. Throws std::bad_alloc, or std::runtime_error.
template <class T>
void set(CURL* easy, CURLoption option, T value) {
    const CURLcode result = curl_easy_setopt(easy, option, value);
    if (result == CURLE_OK) return;
    if (result == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    throw std::runtime_error("http: libcurl " + std::string(curl_version()) + " refuses option " +
                             std::to_string(option) + ": " + curl_easy_strerror(result));
}

inline void append(string_list& to, const std::string& line) {
    curl_slist* const longer = curl_slist_append(to.get(), line.c_str());
    if (!longer) throw std::bad_alloc();
    (void)to.release(); // the list begins where it did, unless it was empty
    to.reset(longer);
}

} // namespace heddle::http::detail
