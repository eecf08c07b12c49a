//! Guests, accounts and sessions over HTTP.

use chat_types::account::{Empty, Me, OfferedName, SessionList, SignedIn};
use chat_types::endpoint::{
    CreateSession, GetMe, JoinAsGuest, ListSessions, OfferName, RefreshSession, RegisterAccount,
    RevokeSession, SetPassword, SignOut, SignOutEverywhere,
};

use super::{account, guest, names, session};
use crate::api::{Answer, Api, Call, created, ok};

/// The endpoints of this slice.
pub fn routes(api: Api) -> Api {
    api.route::<OfferName, _, _>(offer_name)
        .route::<JoinAsGuest, _, _>(create_guest)
        .route::<RegisterAccount, _, _>(register)
        .route::<CreateSession, _, _>(sign_in)
        .route::<RefreshSession, _, _>(refresh_session)
        .route::<ListSessions, _, _>(list_sessions)
        .route::<SignOut, _, _>(sign_out)
        .route::<RevokeSession, _, _>(revoke_session)
        .route::<SignOutEverywhere, _, _>(revoke_all_sessions)
        .route::<GetMe, _, _>(get_me)
        .route::<SetPassword, _, _>(change_password)
}

async fn offer_name(call: Call<OfferName>) -> Answer<OfferedName> {
    call.limit_reads()?;
    ok(OfferedName {
        name: names::offer(&call.client.languages),
    })
}

async fn create_guest(call: Call<JoinAsGuest>) -> Answer<SignedIn> {
    created(guest::create(&call.state, &call.client, call.body).await?)
}

async fn register(call: Call<RegisterAccount>) -> Answer<SignedIn> {
    let caller = call.visitor.as_ref();
    created(account::register(&call.state, &call.client, caller, call.body).await?)
}

async fn sign_in(call: Call<CreateSession>) -> Answer<SignedIn> {
    created(account::sign_in(&call.state, &call.client, call.body).await?)
}

async fn refresh_session(call: Call<RefreshSession>) -> Answer<SignedIn> {
    call.state
        .rates
        .refreshes
        .take(call.client.key(), call.state.now())?;
    ok(session::refresh(&call.state, call.body).await?)
}

async fn list_sessions(call: Call<ListSessions>) -> Answer<SessionList> {
    call.limit_reads()?;
    ok(session::list(&call.state, call.caller()?).await?)
}

async fn sign_out(call: Call<SignOut>) -> Answer<Empty> {
    session::sign_out(&call.state, call.caller()?).await?;
    ok(Empty {})
}

async fn revoke_session(call: Call<RevokeSession>) -> Answer<Empty> {
    call.state
        .rates
        .changes
        .take(call.caller()?.user.id, call.state.now())?;
    session::revoke(&call.state, call.caller()?, call.path.id("session")?).await?;
    ok(Empty {})
}

async fn revoke_all_sessions(call: Call<SignOutEverywhere>) -> Answer<Empty> {
    session::revoke_all(&call.state, call.caller()?).await?;
    ok(Empty {})
}

async fn get_me(call: Call<GetMe>) -> Answer<Me> {
    call.limit_reads()?;
    ok(account::me(&call.state, call.caller()?).await?)
}

async fn change_password(call: Call<SetPassword>) -> Answer<Empty> {
    let caller = call.caller()?.clone();
    account::change_password(&call.state, &call.client, &caller, call.body).await?;
    ok(Empty {})
}
