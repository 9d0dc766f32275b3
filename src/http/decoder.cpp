#include "decoder.hpp"

#include <new>
#include <stdexcept>

namespace heddle::http::detail {

namespace {
constexpr int gzip_window = 16 + MAX_WBITS; // zlib: expect the header of gzip
} // namespace

decoder::decoder(coding which) : which_(which) {
    if (inflateInit2(&stream_, which == coding::gzip ? gzip_window : MAX_WBITS) != Z_OK) {
        throw std::bad_alloc();
    }
}

decoder::~decoder() {
    inflateEnd(&stream_);
}

void decoder::begin(std::string_view in) {
    // The header of zlib's own format: method 8, and a check on 31. What has none is raw.
    if (fresh_ && !in.empty() && which_ == coding::deflate &&
        (static_cast<unsigned char>(in.front()) & 0x0f) != 8) {
        raw_ = true;
        inflateReset2(&stream_, -MAX_WBITS);
    }
    if (!in.empty()) fresh_ = false;
    // zlib does not write there.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size()); // pieces are as large as libcurl's buffer
}

bool decoder::step() {
    size_ = 0;
    // With no input left zlib may still hold output, if it filled the buffer the last time.
    if (ended_ && stream_.avail_in == 0) return false;
    if (ended_) restart();
    stream_.next_out = reinterpret_cast<Bytef*>(output_);
    stream_.avail_out = sizeof output_;
    const int result = inflate(&stream_, Z_NO_FLUSH);
    size_ = sizeof output_ - stream_.avail_out;
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    if (result == Z_STREAM_END) ended_ = true;
    else if (result != Z_OK && result != Z_BUF_ERROR) {
        throw std::runtime_error(stream_.msg ? stream_.msg : "not in that format");
    }
    return size_ > 0 || (result != Z_BUF_ERROR && stream_.avail_in > 0);
}

/// A gzip file may consist of several, one after the other.
void decoder::restart() {
    if (which_ != coding::gzip) throw std::runtime_error("data after the end");
    inflateReset(&stream_);
    ended_ = false;
}

} // namespace heddle::http::detail
