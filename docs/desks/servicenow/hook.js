// A business rule of ServiceNow: makes it tell Mainforte that an incident was made,
// closed, opened again or given to somebody, signed as Standard Webhooks says.
//
// System Definition -> Business Rules -> New: table Incident, Advanced, When: after,
// Insert and Update; this as its script. Two system properties: mainforte.hook.url,
// https://help.example.org/hooks/NAME, and mainforte.hook.secret, whsec_..., of type
// password2 and private. For another table, another rule.
(function executeRule(current, previous) {
    var made = current.operation() == 'insert';
    var kind;
    if (made) {
        kind = 'opened';
    } else if (current.active.changes()) {
        kind = current.active ? 'opened' : 'closed';
    } else if (current.assigned_to.changes()) {
        kind = 'assigned';
    } else {
        return; // notes, Mainforte's too, are not told
    }
    var data = { ticket: current.getUniqueValue() };
    var mail = current.assigned_to.email.toString();
    if (/^[\x21-\x7e]+$/.test(mail)) {
        data.assignee = mail;
    }
    var now = new GlideDateTime();
    var body = JSON.stringify({ type: 'ticket.' + kind, timestamp: now.getValue().replace(' ', 'T') + 'Z', data: data });
    var id = 'sn-' + gs.generateGUID();
    var at = Math.floor(now.getNumericValue() / 1000).toString();
    var key = gs.getProperty('mainforte.hook.secret').substring('whsec_'.length);
    var signature = new GlideCertificateEncryption().generateMac(key, 'HmacSHA256', id + '.' + at + '.' + body);
    var call = new sn_ws.RESTMessageV2();
    call.setEndpoint(gs.getProperty('mainforte.hook.url'));
    call.setHttpMethod('POST');
    call.setRequestHeader('Content-Type', 'application/json');
    call.setRequestHeader('webhook-id', id);
    call.setRequestHeader('webhook-timestamp', at);
    call.setRequestHeader('webhook-signature', 'v1,' + signature);
    call.setRequestBody(body);
    call.executeAsync();
})(current, previous);
