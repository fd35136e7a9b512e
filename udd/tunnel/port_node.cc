// SPDX-License-Identifier: Apache-2.0
// open_port(): by address directly, by netdev name by asking every port there is.
#include "udd/tunnel/port_node.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>
#include <vector>

#include "udd/base/error.h"

namespace udd {
namespace {

constexpr const char* kHowToCreate =
    "load the modules (modprobe nddcore) and create the stable netdev (ip link add link eth0 name ndd0 type "
    "ndd)";

UniqueFd open_node(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (fd) return fd;
  const int error = errno;
  std::string advice;
  std::string why;
  if (error == EACCES || error == EPERM) {
    why = "this user may not open " + path;
    advice = "grant it once: chown $USER " + path +
             ", or for good by a udev rule: SUBSYSTEM==\"ndd\", GROUP=\"<group>\", MODE=\"0660\"";
  } else if (error == ENXIO || error == ENODEV || error == ENOENT) {
    why = path + " is there, but no port is behind it";
    advice = kHowToCreate;
  }
  throw Error(error, {.what = "open the port", .device = path, .why = why, .advice = advice});
}

std::string known_ports(const std::vector<std::pair<std::string, std::string>>& ports) {
  if (ports.empty()) return "there is no port at all";
  std::string text = "known ports: ";
  for (const auto& [address, netdev] : ports) {
    if (!text.ends_with(": ")) text += ", ";
    text += address;
    if (!netdev.empty()) text.append(" (").append(netdev).append(")");
  }
  return text;
}

void check_version(const ndd_info& info, const std::string& path) {
  using Version = std::pair<unsigned, unsigned>;
  const Version module(info.api_major, info.api_minor);
  const Version library(NDD_API_MAJOR, NDD_API_MINOR);
  if (module.first == library.first && module >= library) return;
  const auto text = [](const Version& version) {
    return std::to_string(version.first) + "." + std::to_string(version.second);
  };
  throw Error(EPROTO, {.what = "agree with kagent on a version",
                       .device = path,
                       .why = "the module speaks " + text(module) + ", this library " + text(library),
                       .advice = module < library ? "load a module of this library's version or newer"
                                                  : "build the application against the module's version"});
}

PortNode opened(UniqueFd fd, const std::string& path) {
  const ndd_info info = port_info(fd.get(), path);
  check_version(info, path);
  return {.fd = std::move(fd), .path = path, .info = info};
}

}  // namespace

std::string PortNode::port() const { return field_text(info.port); }
std::string PortNode::netdev() const { return field_text(info.netdev); }

ndd_info port_info(int fd, const std::string& path) {
  ndd_info info{};
  info.argsz = sizeof(info);
  if (::ioctl(fd, NDD_GET_INFO, &info) == 0) return info;
  const int error = errno;
  throw Error(error, {.what = "ask what the port is",
                      .device = path,
                      .why = error == ENOTTY ? "this is no port of kagent's" : "",
                      .advice = ""});
}

PortNode open_port(std::string_view name, const std::string& nodes) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(nodes, error)) {
    throw Error(ENODEV, {.what = "open the port",
                         .device = std::string(name),
                         .why = nodes + " does not exist: kagent is not loaded, or has no port yet",
                         .advice = kHowToCreate});
  }
  if (name.empty() || name.find('/') != std::string_view::npos) {
    throw Error(EINVAL, {.what = "open the port",
                         .device = std::string(name),
                         .why = "this is neither a netdev's name nor a PCI address",
                         .advice = "name it like ndd0 or 0000:00:03.0"});
  }
  const std::string direct = nodes + "/" + std::string(name);
  if (fs::exists(direct, error)) return opened(open_node(direct), direct);

  // By netdev name without udev's link: each node says who it is. Nodes of other users stay unknown by name.
  std::vector<std::string> paths;
  for (fs::directory_iterator entry(nodes, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->is_symlink()) paths.push_back(entry->path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::pair<std::string, std::string>> known;
  for (const std::string& path : paths) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd) {
      const bool forbidden = errno == EACCES || errno == EPERM;
      known.emplace_back(fs::path(path).filename(), forbidden ? "not yours to open: " + path : "");
      continue;
    }
    const ndd_info info = port_info(fd.get(), path);
    if (field_text(info.netdev) == name) return opened(std::move(fd), path);
    known.emplace_back(field_text(info.port), field_text(info.netdev));
  }
  throw Error(ENODEV, {.what = "open the port",
                       .device = std::string(name),
                       .why = "no port has this name; " + known_ports(known),
                       .advice = "ip link show type ndd lists the stable netdevs"});
}

}  // namespace udd
