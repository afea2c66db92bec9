/* device.c - the machine this runs on. See device.h. machine-id(5) asks that its number be hashed before it is shown. */
#include "device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "auto.h"
#include "log.h"

static const char purpose[] = "vaultfs device "; /* so that no other program's number is the same */

/* Add what names the machine behind `text`: its id, else its host name. */
static void name_machine(char *text, size_t size, const struct utsname *system)
{
	AUTO(fd) int fd = open("/etc/machine-id", O_RDONLY | O_CLOEXEC);
	size_t at = strlen(text);
	ssize_t n = fd < 0 ? 0 : read(fd, text + at, size - at - 1);

	if (n >= 32)
		text[at + 32] = '\0';
	else
		(void)snprintf(text + at, size - at, "%s", system->nodename);
}

int device_put(struct vault *vault, uint64_t *ret_id)
{
	char text[128 + sizeof(((struct utsname *)NULL)->nodename)] = "";
	char description[256];
	unsigned char hash[EVP_MAX_MD_SIZE];
	struct vault_device device = { .name = "unnamed", .system = description };
	struct utsname system;
	int r;

	(void)uname(&system); /* fails only for a bad pointer */
	(void)snprintf(text, sizeof(text), "%s", purpose);
	name_machine(text, sizeof(text), &system);
	if (EVP_Digest(text, strlen(text), hash, NULL, EVP_sha256(), NULL) != 1)
		return log_err(-ENOMEM, "this device: no memory to tell it from others");
	memcpy(device.uuid, hash, sizeof(device.uuid));
	if (system.nodename[0])
		device.name = system.nodename;
	(void)snprintf(description, sizeof(description), "%.80s %.80s %.80s", system.sysname, system.release,
		       system.machine);
	vault_change_begin(vault, 0);
	r = vault_device_put(vault, &device, ret_id);
	vault_change_end(vault);
	return r < 0 ? log_err(r, "%s: this device could not be noted: ", vault_path(vault)) : 0;
}
