# Seeds a fresh Redmine for tests: a project, a role that works on issues and one
# that only reads, an account for each and one more. Prints their keys as JSON.
require 'json'
Setting.rest_api_enabled = '1'
Setting.text_formatting = ENV['FORMAT'] || 'textile'
tracker = Tracker.first
project = Project.new(name: 'Helpdesk', identifier: 'helpdesk')
project.enabled_module_names = %w(issue_tracking)
project.trackers = [tracker]
project.is_public = false
project.save!
works = Role.create!(name: 'Mainforte', permissions: [:view_issues, :add_issues, :edit_issues, :add_issue_notes, :set_notes_private, :view_private_notes])
reads = Role.create!(name: 'Reader', permissions: [:view_issues])
works.reload
IssueStatus.all.each { |a| IssueStatus.all.each { |b| WorkflowTransition.create!(role_id: works.id, tracker_id: tracker.id, old_status_id: a.id, new_status_id: b.id) unless a == b } }
keys = {}
{ 'worker' => works, 'other' => works, 'reader' => reads }.each do |name, role|
  u = User.new(firstname: name, lastname: 'Test', mail: "#{name}@desk.test", language: 'fr')
  u.login = name
  u.password = 'only-for-tests-1'
  u.save!
  Member.create!(project: project, principal: u, roles: [role])
  keys[name] = u.api_key
end
keys['closed'] = IssueStatus.where(is_closed: true).first.id.to_s
puts keys.to_json
