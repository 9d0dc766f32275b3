#pragma once
// The members of std::string that libstdc++.so has compiled: what programs of C++17 and before call
// instead of having them in their own, instrumented code. By mangled names, without what is common
// to all: "4sizeEv" is size(). What each does to the string that it is called of, and to the one
// that is its first argument:
//
//   reads          looks at the string                 changes        sets it
//   reads_both     looks at both                       changes_both   sets both
//   reads_second   makes the first of the second       changes_reads  sets it from the other

// clang-format off
#define HEDDLE_STRING_CONST_MEMBERS(X) \
    X(reads, 11_M_disjunctEPKc) X(reads, 11_M_is_localEv) X(reads, 12find_last_ofEPKcm)           \
    X(reads, 12find_last_ofEPKcmm) X(reads, 12find_last_ofEcm) X(reads, 13find_first_ofEPKcm)     \
    X(reads, 13find_first_ofEPKcmm) X(reads, 13find_first_ofEcm)                                  \
    X(reads, 16find_last_not_ofEPKcm) X(reads, 16find_last_not_ofEPKcmm)                          \
    X(reads, 16find_last_not_ofEcm) X(reads, 17find_first_not_ofEPKcm)                            \
    X(reads, 17find_first_not_ofEPKcmm) X(reads, 17find_first_not_ofEcm) X(reads, 2atEm)          \
    X(reads, 3endEv) X(reads, 4backEv) X(reads, 4cendEv) X(reads, 4copyEPcmm) X(reads, 4dataEv)   \
    X(reads, 4findEPKcm) X(reads, 4findEPKcmm) X(reads, 4findEcm) X(reads, 4rendEv)               \
    X(reads, 4sizeEv) X(reads, 5beginEv) X(reads, 5c_strEv) X(reads, 5crendEv) X(reads, 5emptyEv) \
    X(reads, 5frontEv) X(reads, 5rfindEPKcm) X(reads, 5rfindEPKcmm) X(reads, 5rfindEcm)           \
    X(reads, 6cbeginEv) X(reads, 6lengthEv) X(reads, 6rbeginEv) X(reads, 7_M_dataEv)              \
    X(reads, 7compareEPKc) X(reads, 7compareEmmPKc) X(reads, 7compareEmmPKcm)                     \
    X(reads, 7compareEmmRKS4_) X(reads, 7compareEmmRKS4_mm) X(reads, 7crbeginEv)                  \
    X(reads, 8_M_checkEmPKc) X(reads, 8_M_limitEmm) X(reads, 8capacityEv)                         \
    X(reads, cvSt17basic_string_viewIcS2_EEv) X(reads, ixEm) X(reads_both, 12find_last_ofERKS4_m) \
    X(reads_both, 13find_first_ofERKS4_m) X(reads_both, 16find_last_not_ofERKS4_m)                \
    X(reads_both, 17find_first_not_ofERKS4_m) X(reads_both, 4findERKS4_m)                         \
    X(reads_both, 5rfindERKS4_m) X(reads_both, 7compareERKS4_) X(reads_second, 6substrEmm)

#define HEDDLE_STRING_MEMBERS(X) \
    X(changes, 10_M_disposeEv) X(changes, 10_M_replaceEmmPKcm) X(changes, 11_M_capacityEm)        \
    X(changes, 12_M_constructEmc)                                                                 \
    X(changes, 12_M_constructIPKcEEvT_S8_St20forward_iterator_tag)                                \
    X(changes, 12_M_constructIPcEEvT_S7_St20forward_iterator_tag) X(changes, 13_M_set_lengthEm)   \
    X(changes, 13shrink_to_fitEv) X(changes, 14_M_replace_auxEmmmc)                               \
    X(changes, 18_M_construct_aux_2Emc) X(changes, 5clearEv)                                      \
    X(changes, 5eraseEN9__gnu_cxx17__normal_iteratorIPKcS4_EE)                                    \
    X(changes, 5eraseEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_)                                 \
    X(changes, 5eraseEN9__gnu_cxx17__normal_iteratorIPcS4_EE)                                     \
    X(changes, 5eraseEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_) X(changes, 5eraseEmm)            \
    X(changes, 6appendEPKc) X(changes, 6appendEPKcm) X(changes, 6appendESt16initializer_listIcE)  \
    X(changes, 6appendEmc) X(changes, 6assignEPKc) X(changes, 6assignEPKcm)                       \
    X(changes, 6assignESt16initializer_listIcE) X(changes, 6assignEmc)                            \
    X(changes, 6insertEN9__gnu_cxx17__normal_iteratorIPKcS4_EESt16initializer_listIcE)            \
    X(changes, 6insertEN9__gnu_cxx17__normal_iteratorIPKcS4_EEc)                                  \
    X(changes, 6insertEN9__gnu_cxx17__normal_iteratorIPKcS4_EEmc)                                 \
    X(changes, 6insertEN9__gnu_cxx17__normal_iteratorIPcS4_EESt16initializer_listIcE)             \
    X(changes, 6insertEN9__gnu_cxx17__normal_iteratorIPcS4_EEc)                                   \
    X(changes, 6insertEN9__gnu_cxx17__normal_iteratorIPcS4_EEmc) X(changes, 6insertEmPKc)         \
    X(changes, 6insertEmPKcm) X(changes, 6insertEmRKS4_) X(changes, 6insertEmRKS4_mm)             \
    X(changes, 6insertEmmc) X(changes, 6insertIN9__gnu_cxx17__normal_iteratorIPcS4_EEEEvS9_T_SA_) \
    X(changes, 6resizeEm) X(changes, 6resizeEmc) X(changes, 7_M_dataEPc)                          \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_NS6_IPcS4_EESB_)                \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_PcSA_)                          \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_RKS4_)                          \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_S8_)                            \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_S8_S8_)                         \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_S8_m)                           \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_S9_S9_)                         \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_St16initializer_listIcE)        \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPKcS4_EES9_mc)                             \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_NS6_IPKcS4_EESB_)                \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_PKc)                             \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_PKcSA_)                          \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_PKcm)                            \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_RKS4_)                           \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_S7_S7_)                          \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_S8_S8_)                          \
    X(changes, 7replaceEN9__gnu_cxx17__normal_iteratorIPcS4_EES8_mc) X(changes, 7replaceEmmPKc)   \
    X(changes, 7replaceEmmPKcm) X(changes, 7replaceEmmRKS4_) X(changes, 7replaceEmmRKS4_mm)       \
    X(changes, 7replaceEmmmc) X(changes, 7reserveEm) X(changes, 7reserveEv)                       \
    X(changes, 8_M_eraseEmm) X(changes, 8pop_backEv) X(changes, 9_M_appendEPKcm)                  \
    X(changes, 9_M_lengthEm) X(changes, 9_M_mutateEmmPKcm) X(changes, 9push_backEc)               \
    X(changes, C1EPKcRKS3_) X(changes, C1EPKcmRKS3_) X(changes, C1ERKS3_)                         \
    X(changes, C1ESt16initializer_listIcERKS3_) X(changes, C1EmcRKS3_) X(changes, C1Ev)           \
    X(changes, C1IN9__gnu_cxx17__normal_iteratorIPcS4_EEvEET_SA_RKS3_)                            \
    X(changes, C1IPKcvEET_S8_RKS3_) X(changes, C1IPcvEET_S7_RKS3_) X(changes, C2EPKcRKS3_)        \
    X(changes, C2EPKcmRKS3_) X(changes, C2ERKS3_) X(changes, C2ESt16initializer_listIcERKS3_)     \
    X(changes, C2EmcRKS3_) X(changes, C2Ev)                                                       \
    X(changes, C2IN9__gnu_cxx17__normal_iteratorIPcS4_EEvEET_SA_RKS3_)                            \
    X(changes, C2IPKcvEET_S8_RKS3_) X(changes, C2IPcvEET_S7_RKS3_) X(changes, D1Ev)               \
    X(changes, D2Ev) X(changes, aSEPKc) X(changes, aSESt16initializer_listIcE) X(changes, aSEc)   \
    X(changes, pLEPKc) X(changes, pLESt16initializer_listIcE) X(changes, pLEc)                    \
    X(changes_both, 4swapERS4_) X(changes_both, 6assignEOS4_) X(changes_both, C1EOS4_)            \
    X(changes_both, C1EOS4_RKS3_) X(changes_both, C2EOS4_) X(changes_both, C2EOS4_RKS3_)          \
    X(changes_both, aSEOS4_) X(changes_reads, 6appendERKS4_) X(changes_reads, 6appendERKS4_mm)    \
    X(changes_reads, 6assignERKS4_) X(changes_reads, 6assignERKS4_mm)                             \
    X(changes_reads, 9_M_assignERKS4_) X(changes_reads, C1ERKS4_) X(changes_reads, C1ERKS4_RKS3_) \
    X(changes_reads, C1ERKS4_mRKS3_) X(changes_reads, C1ERKS4_mm)                                 \
    X(changes_reads, C1ERKS4_mmRKS3_) X(changes_reads, C2ERKS4_) X(changes_reads, C2ERKS4_RKS3_)  \
    X(changes_reads, C2ERKS4_mRKS3_) X(changes_reads, C2ERKS4_mm)                                 \
    X(changes_reads, C2ERKS4_mmRKS3_) X(changes_reads, aSERKS4_) X(changes_reads, pLERKS4_)       \
    X(reads, 2atEm) X(reads, 3endEv) X(reads, 4backEv) X(reads, 4dataEv) X(reads, 4rendEv)        \
    X(reads, 5beginEv) X(reads, 5frontEv) X(reads, 6rbeginEv) X(reads, ixEm)
// clang-format on
