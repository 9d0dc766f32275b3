// What the compiled part of the C++ library does to the program's objects: the strings of C++17 and
// before, the links of lists, the trees of maps and sets, output streams. That code is not
// instrumented, so what it reads and changes is told here, as if it were the line that called it;
// then the library does it.
#include "access.hpp"
#include "engine.hpp"
#include "library_strings.hpp"
#include "real.hpp"
#include "record.hpp"

#include <initializer_list>

using namespace heddle::check;
using namespace heddle::check::rt;

namespace {

// All that a function of up to six words can return: one register or two.
__extension__ using two_words = unsigned __int128;
using six_words = two_words (*)(u64, u64, u64, u64, u64, u64);

constexpr std::size_t string_size = 16; // its pointer and its length; the text is told by memcpy
constexpr std::size_t list_node_size = 16, tree_node_size = 32;

enum what { reads, reads_both, reads_second, changes, changes_both, changes_reads };

/// A call from the program; none from the library itself, which tells of its own outermost call.
class library_call {
public:
    library_call(const char* name, six_words& real, u64 pc) : pc_(pc) {
        if (real == nullptr) real = real_function<six_words>(name);
        inside_ = reinterpret_cast<u64>(real);
        told_ = has_turn() && !in_system_module(pc);
    }

    void touches(u64 address, std::size_t size, bool write) const {
        constexpr std::size_t most = 16; // what one event of the record can show
        for (u64 at = address; told_ && address != 0 && at < address + size; at += most)
            access_range(
                reinterpret_cast<const void*>(at), size < most ? size : most, write, pc_, inside_);
    }

    void string(what does, u64 self, u64 other) const {
        const bool fresh = does == reads_second;
        touches(self, string_size, fresh || does >= changes);
        if (does != reads && does != changes) touches(other, string_size, does == changes_both);
    }

private:
    u64 pc_, inside_;
    bool told_;
};

} // namespace

#define PC address_of(__builtin_return_address(0))

#define STRING_CALL(name, does)                                                                    \
    HEDDLE_HOOK two_words name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {                         \
        static six_words real;                                                                     \
        library_call(#name, real, PC).string(does, a, b);                                          \
        return real(a, b, c, d, e, f);                                                             \
    }
#define CONST_MEMBER(does, member)                                                                 \
    STRING_CALL(_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE##member, does)
#define MEMBER(does, member)                                                                       \
    STRING_CALL(_ZNSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE##member, does)

HEDDLE_STRING_CONST_MEMBERS(CONST_MEMBER)
HEDDLE_STRING_MEMBERS(MEMBER)

// Lists and trees: which nodes are linked anew.

namespace {

struct list_node {
    u64 next, previous;
};

const list_node& list_node_at(u64 address) {
    return *reinterpret_cast<const list_node*>(address);
}

void relinks(const library_call& call, std::initializer_list<u64> nodes, std::size_t size) {
    for (const u64 node : nodes) call.touches(node, size, true);
}

} // namespace

#define LIBRARY_CALL(name, ...)                                                                    \
    HEDDLE_HOOK two_words name(u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {                         \
        static six_words real;                                                                     \
        const library_call call(#name, real, PC);                                                  \
        __VA_ARGS__;                                                                               \
        return real(a, b, c, d, e, f);                                                             \
    }

LIBRARY_CALL(_ZNSt8__detail15_List_node_base7_M_hookEPS0_,
             relinks(call, {a, b, list_node_at(b).previous}, list_node_size))
LIBRARY_CALL(_ZNSt8__detail15_List_node_base9_M_unhookEv,
             relinks(call, {a, list_node_at(a).next, list_node_at(a).previous}, list_node_size))
LIBRARY_CALL(_ZNSt8__detail15_List_node_base11_M_transferEPS0_S1_,
             relinks(call, {a, b, c}, list_node_size))
LIBRARY_CALL(_ZNSt8__detail15_List_node_base4swapERS0_S1_, relinks(call, {a, b}, list_node_size))
LIBRARY_CALL(_ZNSt8__detail15_List_node_base10_M_reverseEv, relinks(call, {a}, list_node_size))
LIBRARY_CALL(_ZSt29_Rb_tree_insert_and_rebalancebPSt18_Rb_tree_node_baseS0_RS_,
             relinks(call, {b, c, d}, tree_node_size))
LIBRARY_CALL(_ZSt28_Rb_tree_rebalance_for_erasePSt18_Rb_tree_node_baseRS_,
             relinks(call, {a, b}, tree_node_size))
LIBRARY_CALL(_ZSt18_Rb_tree_incrementPSt18_Rb_tree_node_base,
             call.touches(a, tree_node_size, false))
LIBRARY_CALL(_ZSt18_Rb_tree_incrementPKSt18_Rb_tree_node_base,
             call.touches(a, tree_node_size, false))
LIBRARY_CALL(_ZSt18_Rb_tree_decrementPSt18_Rb_tree_node_base,
             call.touches(a, tree_node_size, false))
LIBRARY_CALL(_ZSt18_Rb_tree_decrementPKSt18_Rb_tree_node_base,
             call.touches(a, tree_node_size, false))

// Output streams. The standard ones may be used by several threads at once.

namespace {

/// Stands for all of the stream: programs know no more of its type than where it begins.
constexpr std::size_t stream_state_size = 8;

bool is_standard(u64 stream) {
    static const u64 standard[] = {address_of(dlsym(RTLD_DEFAULT, "_ZSt4cout")),
                                   address_of(dlsym(RTLD_DEFAULT, "_ZSt4cerr")),
                                   address_of(dlsym(RTLD_DEFAULT, "_ZSt4clog"))};
    for (const u64 s : standard)
        if (stream == s) return true;
    return false;
}

void uses_stream(const library_call& call, u64 stream, bool write) {
    if (!is_standard(stream)) call.touches(stream, stream_state_size, write);
}

} // namespace

#define STREAM_CALL(name) LIBRARY_CALL(name, uses_stream(call, a, true))
#define STREAM_NUMBER(name, type)                                                                  \
    HEDDLE_HOOK void* name(void* stream, type number) {                                            \
        static six_words real;                                                                     \
        uses_stream(library_call(#name, real, PC), address_of(stream), true);                      \
        void* (*insert)(void*, type);                                                              \
        static_assert(sizeof insert == sizeof real);                                               \
        __builtin_memcpy(&insert, &real, sizeof real);                                             \
        return insert(stream, number);                                                             \
    }
#define STREAM_TEXT(what) STREAM_CALL(_ZStlsISt11char_traitsIcEERSt13basic_ostreamIcT_ES5_##what)
#define STREAM_STRING(what)                                                                        \
    STREAM_CALL(_ZStlsIcSt11char_traitsIcESaIcEERSt13basic_ostreamIT_T0_ES7_##what)

STREAM_CALL(_ZNSo3putEc)
STREAM_CALL(_ZNSo5flushEv)
STREAM_CALL(_ZNSo5writeEPKcl)
STREAM_CALL(_ZNSo9_M_insertIPKvEERSoT_)
STREAM_CALL(_ZNSo9_M_insertIbEERSoT_)
STREAM_CALL(_ZNSo9_M_insertIlEERSoT_)
STREAM_CALL(_ZNSo9_M_insertImEERSoT_)
STREAM_CALL(_ZNSo9_M_insertIxEERSoT_)
STREAM_CALL(_ZNSo9_M_insertIyEERSoT_)
STREAM_CALL(_ZNSolsEPFRSoS_E)
STREAM_CALL(_ZNSolsEPKv)
STREAM_CALL(_ZNSolsEb)
STREAM_CALL(_ZNSolsEi)
STREAM_CALL(_ZNSolsEj)
STREAM_CALL(_ZNSolsEl)
STREAM_CALL(_ZNSolsEm)
STREAM_CALL(_ZNSolsEs)
STREAM_CALL(_ZNSolsEt)
STREAM_CALL(_ZNSolsEx)
STREAM_CALL(_ZNSolsEy)
STREAM_NUMBER(_ZNSo9_M_insertIdEERSoT_, double)
STREAM_NUMBER(_ZNSolsEd, double)
STREAM_NUMBER(_ZNSolsEf, float)
STREAM_TEXT(PKc)
STREAM_TEXT(c)
STREAM_CALL(_ZSt16__ostream_insertIcSt11char_traitsIcEERSt13basic_ostreamIT_T0_ES6_PKS3_l)
STREAM_STRING(RKNSt7__cxx1112basic_stringIS4_S5_T1_EE)
LIBRARY_CALL(_ZNKSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEE3strEv,
             uses_stream(call, b, false))
