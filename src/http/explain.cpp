/// What libcurl's result codes mean to whoever waits for the response.
#include "transfer.hpp"

#include <heddle/http/error.hpp>

#include <system_error>

namespace heddle::http::detail {

namespace {

enum class kind { connect, timeout, tls, protocol };

kind kind_of(CURLcode result, bool connected) noexcept {
    switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return kind::timeout;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_INVALIDCERTSTATUS: return kind::tls;
    default: return connected ? kind::protocol : kind::connect;
    }
}

const char* remedy(kind of) noexcept {
    switch (of) {
    case kind::connect: return "check the name, the port and that the server runs";
    case kind::timeout: return "raise session_options::connect_timeout, or try again later";
    case kind::tls:
        return "check the host name and the server's certificate; session_options::ca_file names "
               "further ones to trust";
    case kind::protocol: return "try again, or see what the server sends with curl -v";
    }
    return "";
}

/// What happened, in words.
std::string story(const transfer& t, CURLcode result) {
    switch (result) {
    case CURLE_PARTIAL_FILE:
        if (t.incoming->length() == 0) return "the body was cut off in the middle of a chunk";
        return "the body was cut off after " + std::to_string(t.incoming->received()) + " of " +
               std::to_string(t.incoming->length()) + " bytes";
    case CURLE_GOT_NOTHING: return "the server closed the connection without an answer";
    case CURLE_ABORTED_BY_CALLBACK:
        return "the server closed the kept connection while the request was being sent, and " +
               t.what.method + " may have been carried out, so it is not sent again";
    case CURLE_OUT_OF_MEMORY: return "a line of its header is too long";
    default: break;
    }
    std::string made = t.line->error[0] != '\0' ? t.line->error : curl_easy_strerror(result);
    long number = 0;
    // For all others it may be what an earlier transfer left there.
    if (result == CURLE_COULDNT_CONNECT || result == CURLE_SEND_ERROR ||
        result == CURLE_RECV_ERROR) {
        curl_easy_getinfo(t.line->easy.get(), CURLINFO_OS_ERRNO, &number);
    }
    if (number != 0) made += " (" + std::generic_category().message(static_cast<int>(number)) + ")";
    return made;
}

} // namespace

std::exception_ptr explain(const transfer& t, CURLcode result) {
    // A server may answer, and close, before it has read all that we send.
    if (result == CURLE_OK || (result == CURLE_SEND_ERROR && t.incoming->is_whole())) {
        try {
            t.incoming->finish();
            return nullptr;
        } catch (...) {
            return std::current_exception();
        }
    }
    // So libcurl also calls a header line that is longer than it takes.
    if (result == CURLE_OUT_OF_MEMORY && (t.sends == 0 || t.incoming->has_header())) {
        return std::make_exception_ptr(std::bad_alloc());
    }
    const kind what = kind_of(result, t.sends > 0);
    const std::string& url = t.what.url;
    const std::string text =
        t.what.method + " " + url + ": " + story(t, result) + "; " + remedy(what);
    switch (what) {
    case kind::connect: return std::make_exception_ptr(connect_error(url, text));
    case kind::timeout: return std::make_exception_ptr(timeout_error(url, text, "connect"));
    case kind::tls: return std::make_exception_ptr(tls_error(url, text));
    case kind::protocol: break;
    }
    return std::make_exception_ptr(protocol_error(url, text));
}

} // namespace heddle::http::detail
