/// How values become bytes and back: cereal's rules, into our own buffers.
#pragma once

#include <heddle/detail/large_buffer.hpp>
#include <heddle/detail/wire.hpp>

#include <type_traits>

#if !__has_include(<cereal/cereal.hpp>)
#error "heddle: processes need cereal, which is not found (Debian: libcereal-dev)"
#endif
#include <cereal/cereal.hpp>
#include <cereal/types/array.hpp>
#include <cereal/types/chrono.hpp>
#include <cereal/types/complex.hpp>
#include <cereal/types/deque.hpp>
#include <cereal/types/list.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/optional.hpp>
#include <cereal/types/set.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/tuple.hpp>
#include <cereal/types/unordered_map.hpp>
#include <cereal/types/unordered_set.hpp>
#include <cereal/types/utility.hpp>
#include <cereal/types/variant.hpp>
#include <cereal/types/vector.hpp>

namespace heddle::detail {

/// Writes into a message.
///
/// A buffer of `large` bytes or more is not copied into the message but into shared memory of its
/// own, whose descriptor travels; see large_buffer.hpp.
class out_archive : public cereal::OutputArchive<out_archive, cereal::AllowEmptyClassElision> {
public:
    static constexpr std::size_t large = std::size_t{256} << 10;

    /// @param attaches  whether descriptors may travel along.
    explicit out_archive(message& to, bool attaches = true)
        : OutputArchive(this), to_(to), attaches_(attaches) {}
    void bytes(const void* data, std::size_t count) {
        if (count >= large) to_.append_large(data, count, attaches_);
        else to_.append(data, count);
    }
    std::uint32_t attach(shared_descriptor fd) {
        if (!attaches_) throw_cannot_attach();
        return to_.attach(std::move(fd));
    }

private:
    message& to_;
    bool attaches_;
};

/// Reads from a frame that has arrived.
class in_archive : public cereal::InputArchive<in_archive, cereal::AllowEmptyClassElision> {
public:
    explicit in_archive(reader& from) : InputArchive(this), from_(from) {}
    void bytes(void* data, std::size_t count) {
        if (count < out_archive::large) return from_.take(data, count);
        const large_view lent = from_.take_large(count);
        __builtin_memcpy(data, lent.data(), count);
    }
    /// Fills a vector or string of numbers. Not by `resize`, where it can be helped, which would
    /// write all of a large one once more.
    template <class Container>
    void elements(Container& into, std::size_t count) {
        using element = typename Container::value_type;
        const std::size_t size = count * sizeof(element);
        if (size < out_archive::large) {
            into.resize(count);
            return from_.take(into.data(), size);
        }
        const large_view lent = from_.take_large(size);
        if (lent.aligned_for(alignof(element))) {
            const auto* const first = reinterpret_cast<const element*>(lent.data());
            into.clear();
            into.reserve(count);
            expect_large(into.data(), size);
            into.assign(first, first + count);
        } else {
            into.resize(count);
            __builtin_memcpy(into.data(), lent.data(), size);
        }
    }
    shared_descriptor attached(std::uint32_t place) const { return from_.descriptor_at(place); }

private:
    reader& from_;
};

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;
template <class T>
concept plain_number =
    std::is_arithmetic_v<T> || std::is_same_v<T, int128> || std::is_same_v<T, uint128>;
#else
template <class T>
concept plain_number = std::is_arithmetic_v<T>;
#endif

template <plain_number T>
void CEREAL_SAVE_FUNCTION_NAME(out_archive& to, const T& value) {
    to.bytes(&value, sizeof value);
}
template <plain_number T>
void CEREAL_LOAD_FUNCTION_NAME(in_archive& from, T& value) {
    from.bytes(&value, sizeof value);
}
template <class T>
void CEREAL_SAVE_FUNCTION_NAME(out_archive& to, const cereal::BinaryData<T>& data) {
    to.bytes(data.data, static_cast<std::size_t>(data.size));
}
template <class T>
void CEREAL_LOAD_FUNCTION_NAME(in_archive& from, cereal::BinaryData<T>& data) {
    from.bytes(data.data, static_cast<std::size_t>(data.size));
}
/// Instead of cereal's own, which resizes first.
template <plain_number T, class A>
    requires(!std::is_same_v<T, bool>)
void CEREAL_LOAD_FUNCTION_NAME(in_archive& from, std::vector<T, A>& numbers) {
    cereal::size_type count = 0;
    from(cereal::make_size_tag(count));
    from.elements(numbers, count);
}
template <class T, class Traits, class A>
void CEREAL_LOAD_FUNCTION_NAME(in_archive& from, std::basic_string<T, Traits, A>& text) {
    cereal::size_type count = 0;
    from(cereal::make_size_tag(count));
    from.elements(text, count);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(out_archive& to, cereal::NameValuePair<T>& pair) {
    to(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(in_archive& from, cereal::NameValuePair<T>& pair) {
    from(pair.value);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(out_archive& to, cereal::SizeTag<T>& tag) {
    to(tag.size);
}
template <class T>
void CEREAL_SERIALIZE_FUNCTION_NAME(in_archive& from, cereal::SizeTag<T>& tag) {
    from(tag.size);
}

/// T can be sent to another process and built there.
template <class T>
concept transferable =
    cereal::traits::is_output_serializable<T, out_archive>::value &&
    cereal::traits::is_input_serializable<T, in_archive>::value && std::default_initializable<T>;

} // namespace heddle::detail

CEREAL_SETUP_ARCHIVE_TRAITS(heddle::detail::in_archive, heddle::detail::out_archive)
