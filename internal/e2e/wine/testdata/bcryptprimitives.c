/*
 * bcryptprimitives.dll for tests under Wine 8 (Debian 12), and for nothing else.
 *
 * A Go program of today does not start there and could open no UDP socket:
 *
 * - Its runtime draws random numbers from ProcessPrng of this DLL, which Wine
 *   has had since version 9. Here it is RtlGenRandom.
 * - Its net package gives up a new UDP socket unless SIO_UDP_NETRESET succeeds
 *   (golang/go#68614), which Wine does not know. WSAIoctl is replaced in the
 *   export table of ws2_32.dll, before Go looks it up there, by one that
 *   answers that code with success and passes every other on.
 *
 * x86-64 only: what is put into the export table is a piece of its code.
 */
#include <winsock2.h>
#include <windows.h>
#include <string.h>

/* So that a test can tell this DLL, or a part of it, in a file. */
__declspec(dllexport) const char mainforte_marker[] = "mainforte-wine-stub: for tests only";

BOOLEAN NTAPI SystemFunction036(PVOID buffer, ULONG size); /* RtlGenRandom */

typedef int(WINAPI *ioctl_function)(SOCKET, DWORD, LPVOID, DWORD, LPVOID, DWORD, LPDWORD, LPWSAOVERLAPPED,
				    LPWSAOVERLAPPED_COMPLETION_ROUTINE);

static ioctl_function wsa_ioctl;

static int WINAPI ioctl_or_success(SOCKET s, DWORD code, LPVOID in, DWORD in_size, LPVOID out, DWORD out_size,
				   LPDWORD returned, LPWSAOVERLAPPED overlapped,
				   LPWSAOVERLAPPED_COMPLETION_ROUTINE done)
{
	const DWORD udp_netreset = IOC_IN | IOC_VENDOR | 15;

	if (code != udp_netreset)
		return wsa_ioctl(s, code, in, in_size, out, out_size, returned, overlapped, done);
	if (returned)
		*returned = 0;
	return 0;
}

/*
 * An export is a 32-bit offset from the module, so what replaces it must lie
 * within 4 GiB above: a jump is put there.
 */
static BYTE *jump_above(BYTE *module, void *target)
{
	static const BYTE load[] = {0x48, 0xb8}, jump[] = {0xff, 0xe0}; /* mov rax, target; jmp rax */
	const SIZE_T step = 0x10000, last = 0x7f000000;
	BYTE *at = NULL;

	for (SIZE_T offset = 0x1000000; !at && offset < last; offset += step)
		at = VirtualAlloc(module + offset, 4096, MEM_RESERVE | MEM_COMMIT, PAGE_EXECUTE_READWRITE);
	if (!at)
		return NULL;
	memcpy(at, load, sizeof load);
	memcpy(at + sizeof load, &target, sizeof target);
	memcpy(at + sizeof load + sizeof target, jump, sizeof jump);
	return at;
}

static void replace_ioctl(void)
{
	BYTE *module = (BYTE *)LoadLibraryA("ws2_32.dll");
	IMAGE_NT_HEADERS *headers;
	IMAGE_EXPORT_DIRECTORY *exports;
	DWORD *functions, before;
	BYTE *jump;

	if (!module)
		return;
	wsa_ioctl = (ioctl_function)(void *)GetProcAddress((HMODULE)module, "WSAIoctl");
	if (!wsa_ioctl)
		return;
	jump = jump_above(module, (void *)ioctl_or_success);
	if (!jump)
		return;
	headers = (IMAGE_NT_HEADERS *)(module + ((IMAGE_DOS_HEADER *)module)->e_lfanew);
	exports = (IMAGE_EXPORT_DIRECTORY *)(module + headers->OptionalHeader.DataDirectory[0].VirtualAddress);
	functions = (DWORD *)(module + exports->AddressOfFunctions);
	for (DWORD i = 0; i < exports->NumberOfFunctions; i++) {
		if (module + functions[i] != (BYTE *)wsa_ioctl)
			continue;
		if (!VirtualProtect(&functions[i], sizeof functions[i], PAGE_READWRITE, &before))
			return;
		functions[i] = (DWORD)(jump - module);
		VirtualProtect(&functions[i], sizeof functions[i], before, &before);
	}
}

/* The Go runtime calls this first, when a program starts and no loader lock is held. */
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE buffer, SIZE_T size)
{
	static LONG called;

	if (!InterlockedExchange(&called, 1))
		replace_ioctl();
	while (size) {
		ULONG part = size > 0x10000000 ? 0x10000000 : (ULONG)size;

		if (!SystemFunction036(buffer, part))
			return FALSE;
		buffer += part;
		size -= part;
	}
	return TRUE;
}

BOOL WINAPI DllMain(HINSTANCE instance, DWORD reason, LPVOID reserved)
{
	(void)instance, (void)reason, (void)reserved;
	return TRUE;
}
