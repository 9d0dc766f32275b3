/// Undoes the content encodings that we ask for.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace heddle::http::detail {

/// Decompresses a gzip or deflate body as it comes.
///
/// Not libcurl's own decoder: that one takes a body which ends too early for a whole one, and
/// knows no limit on what comes out.
class decoder {
public:
    enum class coding { gzip, deflate };

    /// Throws std::bad_alloc.
    explicit decoder(coding which);
    ~decoder();
    decoder(const decoder&) = delete;
    decoder& operator=(const decoder&) = delete;

    /// Decodes `in` and calls `take(piece)` for what comes out. Throws std::runtime_error saying
    /// what is wrong with the data, std::bad_alloc, and what `take` throws.
    template <class Take>
    void decode(std::string_view in, Take take) {
        begin(in);
        while (step()) take(std::string_view(output_, size_));
    }
    /// True if what came so far is whole.
    bool complete() const noexcept { return ended_; }

private:
    void begin(std::string_view in);
    bool step();
    void restart();

    z_stream stream_{};
    coding which_;
    bool ended_ = false;
    bool raw_ = false; ///< deflate without its header, as some servers send it
    bool fresh_ = true;
    std::size_t size_ = 0;
    char output_[16 * 1024];
};

} // namespace heddle::http::detail
