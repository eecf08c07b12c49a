//! The listed members of a room, in the server's order.

use std::cmp::Reverse;

use chat_types::id::UserId;
use chat_types::limits::MEMBERS_PAGE;
use chat_types::room::{Member, MembersSummary};

/// Puts in a member who is new, or who has another name or role. Where not everybody is listed, a
/// member who is not may be either; they count as known, and the next connect tells the number.
pub(crate) fn put(members: &mut MembersSummary, member: Member) {
    let complete = members.listed.len() == members.count as usize;
    let before = members.listed.len();
    members
        .listed
        .retain(|listed| listed.user.id != member.user.id);
    let known = members.listed.len() < before;
    if complete && !known {
        members.count = members.count.saturating_add(1);
    }
    let at = members
        .listed
        .partition_point(|listed| order(listed) <= order(&member));
    members.listed.insert(at, member);
    members.listed.truncate(MEMBERS_PAGE as usize);
}

/// Takes out somebody who left.
pub(crate) fn remove(members: &mut MembersSummary, user: UserId) {
    let complete = members.listed.len() == members.count as usize;
    let before = members.listed.len();
    members.listed.retain(|listed| listed.user.id != user);
    let known = members.listed.len() < before;
    if known || !complete {
        members.count = members.count.saturating_sub(1);
    }
}

/// Highest role first, then longest membership.
fn order(member: &Member) -> (Reverse<u8>, u64, UserId) {
    (
        Reverse(member.role.rank()),
        member.joined_at.0,
        member.user.id,
    )
}
