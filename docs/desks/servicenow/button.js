// A UI action of ServiceNow: a button on an incident's form that opens it in
// Mainforte, where the technician signs in, sees the incident, and types the person's
// code. The address holds the desk and the incident's id, and no secret.
//
// System Definition -> UI Actions -> New: Name "Remote assistance" (and its French
// translation, "Assistance \u00e0 distance"), Table Incident, Form button, Show update,
// Client, Onclick mainforteLaunch(), Condition current.active; this as its script.
// NAME is the desk's name in Mainforte's desks file. For a workspace: the same script
// in "Workspace Client Script", as the body of function onClick(g_form).
function mainforteLaunch() {
    var url = 'https://help.example.org/launch?system=NAME&ticket=' + encodeURIComponent(g_form.getUniqueValue());
    g_navigation.open(url, '_blank');
    return false; // nothing is saved by it
}
