// SPDX-License-Identifier: Apache-2.0
// Does what a sanitizer must report, one fault per argument: heap, leak, undefined, race. Ends with 0 if nobody minds.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

volatile int seven = 7;  // what the compiler must not know
int shared = 0;
void* volatile lost;

void heap() {
  char* octets = static_cast<char*>(std::malloc(static_cast<std::size_t>(seven)));
  octets[seven] = 1;
  std::free(octets);
}

void leak() {
  lost = std::malloc(64);
  lost = nullptr;
}

void undefined() {
  const int large = INT32_MAX - seven;
  std::printf("%d\n", large + 2 * seven);
}

void race() {
  std::thread other([] {
    for (int i = 0; i < 10000; ++i) ++shared;
  });
  for (int i = 0; i < 10000; ++i) ++shared;
  other.join();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string fault = argc > 1 ? argv[1] : "";
  if (fault == "heap") heap();
  if (fault == "leak") leak();
  if (fault == "undefined") undefined();
  if (fault == "race") race();
  return 0;
}
