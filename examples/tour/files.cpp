#include "files.hpp"

#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <system_error>

namespace tour {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_expanded = std::size_t{64} << 20; // a small .gz can hold very much

/// Adds the regular files of `folder`, and goes into its folders.
void collect(const fs::path& folder, file_tree& into) {
    std::vector<fs::path> folders;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        // What cannot even be asked for its type counts as a file: reading it will say why.
        std::error_code unknown;
        const fs::file_status status = entry.symlink_status(unknown);
        if (fs::is_directory(status)) {
            folders.push_back(entry.path());
        } else if (fs::is_regular_file(status) || unknown) {
            const std::uintmax_t size = entry.file_size(unknown);
            into.files.push_back({entry.path().string(), unknown ? 0 : std::size_t{size}});
        }
    }
    for (const fs::path& inner : folders) {
        try {
            collect(inner, into);
        } catch (const fs::filesystem_error& failure) {
            into.unreadable.push_back(inner.string() + ": " + failure.code().message());
        }
    }
}

[[noreturn]] void refuse(const file& f, const std::string& why) {
    throw read_error(f.path + ": " + why);
}

std::string message_of(int error) {
    return std::generic_category().message(error);
}

std::string read_gzip(const file& f) {
    errno = 0;
    const std::unique_ptr<gzFile_s, int (*)(gzFile)> open(gzopen(f.path.c_str(), "rb"), &gzclose);
    if (!open) refuse(f, message_of(errno != 0 ? errno : ENOMEM));
    gzbuffer(open.get(), 64 << 10);
    std::string text;
    std::size_t length = 0;
    const std::size_t room = std::clamp<std::size_t>(4 * f.size, 16 << 10, most_expanded);
    while (length == text.size()) {
        if (length >= most_expanded) refuse(f, "expands to more than 64 MiB");
        text.resize(length + room);
        const int got = gzread(open.get(), text.data() + length, static_cast<unsigned>(room));
        int error = Z_OK;
        const char* const why = gzerror(open.get(), &error);
        if (got < 0 || error != Z_OK) throw read_error(why); // it begins with the path
        length += static_cast<std::size_t>(got);
    }
    if (gzdirect(open.get()) && length != 0) refuse(f, "is not in gzip format");
    text.resize(length);
    return text;
}

} // namespace

file_tree list_files(const std::string& folder, std::size_t most_bytes) {
    file_tree tree;
    collect(folder, tree);
    std::ranges::sort(tree.files, {}, &file::path);
    std::erase_if(tree.files, [&](const file& f) {
        const bool fits = f.size <= most_bytes - tree.bytes;
        fits ? tree.bytes += f.size : ++tree.left_out;
        return !fits;
    });
    return tree;
}

std::string read_bytes(const file& f) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> open(std::fopen(f.path.c_str(), "rb"),
                                                               &std::fclose);
    if (!open) refuse(f, message_of(errno));
    std::string text(f.size, '\0');
    text.resize(std::fread(text.data(), 1, f.size, open.get()));
    if (std::ferror(open.get())) refuse(f, message_of(errno));
    return text;
}

std::string read_text(const file& f) {
    return f.path.ends_with(".gz") ? read_gzip(f) : read_bytes(f);
}

} // namespace tour
