// Package files is what the transfer of files does on the person's disk.
//
// Into it, an [Inbox] takes one transfer at a time to the folder that the person
// chose. Everything goes through os.Root and under [SafeName]: nothing is written
// outside that folder, nothing that was there is changed, no link that was there is
// followed, and nothing can be run that the person does not start; on Windows each
// file carries the mark that it came from elsewhere. Out of it, [Collect] lists the
// files that the person named, and a [Source] reads one of them; what the other side
// says never names a file here.
//
// The package knows no grants: host/session asks for them before it calls.
package files
