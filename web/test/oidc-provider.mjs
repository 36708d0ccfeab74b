// A real sign-in provider for the end-to-end test, of the certified npm package:
//
//	node oidc-provider.mjs ISSUER REDIRECT_URI SECRET
//
// Whoever says "ana" is in the group helpdesk; others are in none. It says "ready"
// when it answers, and ends with its standard input.
import process from "node:process";
import Provider from "oidc-provider";

const [issuer, redirect, secret] = process.argv.slice(2);

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "mainforte",
      client_secret: secret,
      redirect_uris: [redirect],
      response_types: ["code"],
      grant_types: ["authorization_code"],
    },
  ],
  scopes: ["openid", "profile", "groups"],
  claims: { openid: ["sub"], profile: ["name"], groups: ["groups"] },
  cookies: { keys: ["of a test"] },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      name: id === "ana" ? "Ana Tremblay" : "Eve",
      groups: id === "ana" ? ["helpdesk", "cooks"] : ["cooks"],
    }),
  }),
});

const server = provider.listen(Number(new URL(issuer).port), "127.0.0.1", () => {
  console.log("ready");
});
process.stdin.resume();
process.stdin.on("end", () => {
  server.closeAllConnections();
  process.exit(0);
});
