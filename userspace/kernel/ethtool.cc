// SPDX-License-Identifier: Apache-2.0
#include "kernel/ethtool.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace nsrp::kernel {
namespace {

static_assert(static_cast<uint32_t>(Ethtool::VlanOffload::kTransmit) == ETH_FLAG_TXVLAN);
static_assert(static_cast<uint32_t>(Ethtool::VlanOffload::kReceive) == ETH_FLAG_RXVLAN);

// ethtool_link_settings ends in three link mode masks of up to 127 words, whose length the kernel tells first.
constexpr size_t kLinkSettingsBytes = sizeof(ethtool_link_settings) + size_t{3} * 127 * sizeof(uint32_t);

}  // namespace

Result<Ethtool> Ethtool::open() {
  UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fail(std::string("cannot open a socket for ethtool: ") + std::strerror(errno));
  return Ethtool(std::move(fd));
}

int Ethtool::call(const std::string& name, void* command) const {
  ifreq request{};
  if (name.size() >= sizeof request.ifr_name) return ENODEV;
  std::memcpy(request.ifr_name, name.data(), name.size());
  request.ifr_data = static_cast<char*>(command);
  return ::ioctl(fd_.get(), SIOCETHTOOL, &request) == 0 ? 0 : errno;
}

uint32_t Ethtool::speed_mbps(const std::string& name) const {
  alignas(ethtool_link_settings) std::array<char, kLinkSettingsBytes> buffer{};
  auto* settings = reinterpret_cast<ethtool_link_settings*>(buffer.data());
  settings->cmd = ETHTOOL_GLINKSETTINGS;
  if (call(name, settings) != 0 || settings->link_mode_masks_nwords >= 0) return 0;
  settings->link_mode_masks_nwords = static_cast<int8_t>(-settings->link_mode_masks_nwords);
  settings->cmd = ETHTOOL_GLINKSETTINGS;
  if (call(name, settings) != 0 || settings->speed == static_cast<uint32_t>(SPEED_UNKNOWN)) return 0;
  return settings->speed;
}

Result<bool> Ethtool::set_vlan_offload(const std::string& name, VlanOffload which, bool on) const {
  const auto bit = static_cast<uint32_t>(which);
  ethtool_value value{ETHTOOL_GFLAGS, 0};
  int error = call(name, &value);
  if (error == 0 && ((value.data & bit) != 0) == on) return false;
  if (error == 0) {
    // One flag at a time: the kernel refuses a request as a whole when one of its flags cannot be changed.
    value = {ETHTOOL_SFLAGS, on ? value.data | bit : value.data & ~bit};
    error = call(name, &value);
  }
  if (error == EOPNOTSUPP) return false;
  if (error != 0) return fail("cannot switch VLAN offload of " + name + ": " + std::strerror(error));
  return true;
}

}  // namespace nsrp::kernel
