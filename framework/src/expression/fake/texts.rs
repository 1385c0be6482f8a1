//! The texts that the crate `fake` makes up, by kind and locale.

use fake::faker::{
    address::raw as address, barcode::raw as barcode, company::raw as company,
    creditcard::raw as creditcard, currency::raw as currency, filesystem::raw as filesystem,
    internet::raw as internet, job::raw as job, lorem::raw as lorem, name::raw as name,
    phone_number::raw as phone_number,
};
use fake::locales::{
    AR_SA, CY_GB, DE_DE, Data, EN, FA_IR, FR_FR, IT_IT, JA_JP, NL_NL, PT_BR, PT_PT, TR_TR, ZH_CN,
    ZH_TW,
};
use fake::rand::rngs::ChaCha8Rng;
use fake::{Dummy, Fake};

/// The locales, and the one function that chooses among their types.
macro_rules! locales {
    ($($name:literal => $locale:ident),+ $(,)?) => {
        #[allow(non_camel_case_types)]
        #[derive(Debug, Clone, Copy)]
        pub(super) enum Locale { $($locale),+ }

        const LOCALES: &[(&str, Locale)] = &[$(($name, Locale::$locale)),+];

        pub(super) fn text(locale: Locale, kind: Kind, random: &mut ChaCha8Rng) -> String {
            match locale {
                $(Locale::$locale => text_in($locale, kind, random)),+
            }
        }
    };
}

locales! {
    "en_US" => EN, "ar_SA" => AR_SA, "cy_GB" => CY_GB, "de_DE" => DE_DE, "fa_IR" => FA_IR,
    "fr_FR" => FR_FR, "it_IT" => IT_IT, "ja_JP" => JA_JP, "nl_NL" => NL_NL, "pt_BR" => PT_BR,
    "pt_PT" => PT_PT, "tr_TR" => TR_TR, "zh_CN" => ZH_CN, "zh_TW" => ZH_TW,
}

/// The locale of that name, or another one of the same language: of `en_GB`, `en_US`.
pub(super) fn locale(name: &str) -> Result<Locale, String> {
    let name = name.replace('-', "_");
    let language = name.split('_').next().unwrap_or_default();
    let same = |(other, _): &&(&str, Locale)| other.eq_ignore_ascii_case(&name);
    let similar = |(other, _): &&(&str, Locale)| other.split('_').next() == Some(language);
    let found = LOCALES.iter().find(same).or(LOCALES.iter().find(similar));
    found.map(|(_, locale)| *locale).ok_or_else(|| {
        let names: Vec<_> = LOCALES.iter().map(|(name, _)| *name).collect();
        format!("there is no locale {name}; there are {}", names.join(", "))
    })
}

/// What is made up as text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bs,
    BuildingNumber,
    CatchPhrase,
    City,
    Company,
    CompanySuffix,
    Country,
    CountryCode,
    CreditCardNumber,
    CurrencyCode,
    CurrencyName,
    Email,
    FileName,
    FirstName,
    FreeEmail,
    Ipv4,
    Ipv6,
    Isbn13,
    Job,
    LastName,
    MacAddress,
    MimeType,
    Name,
    Paragraph,
    PhoneNumber,
    Postcode,
    Prefix,
    SecondaryAddress,
    Sentence,
    State,
    StateAbbr,
    StreetName,
    StreetSuffix,
    Suffix,
    Timezone,
    Tld,
    UserAgent,
    UserName,
    Word,
}

fn text_in<L>(locale: L, kind: Kind, random: &mut ChaCha8Rng) -> String
where
    L: Data + Copy,
    String: Dummy<address::CityName<L>>,
{
    match kind {
        Kind::Bs => company::Bs(locale).fake_with_rng(random),
        Kind::BuildingNumber => address::BuildingNumber(locale).fake_with_rng(random),
        Kind::CatchPhrase => company::CatchPhrase(locale).fake_with_rng(random),
        Kind::City => address::CityName(locale).fake_with_rng(random),
        Kind::Company => company::CompanyName(locale).fake_with_rng(random),
        Kind::CompanySuffix => company::CompanySuffix(locale).fake_with_rng(random),
        Kind::Country => address::CountryName(locale).fake_with_rng(random),
        Kind::CountryCode => address::CountryCode(locale).fake_with_rng(random),
        Kind::CreditCardNumber => creditcard::CreditCardNumber(locale).fake_with_rng(random),
        Kind::CurrencyCode => currency::CurrencyCode(locale).fake_with_rng(random),
        Kind::CurrencyName => currency::CurrencyName(locale).fake_with_rng(random),
        Kind::Email => internet::SafeEmail(locale).fake_with_rng(random),
        Kind::FileName => filesystem::FileName(locale).fake_with_rng(random),
        Kind::FirstName => name::FirstName(locale).fake_with_rng(random),
        Kind::FreeEmail => internet::FreeEmail(locale).fake_with_rng(random),
        Kind::Ipv4 => internet::IPv4(locale).fake_with_rng(random),
        Kind::Ipv6 => internet::IPv6(locale).fake_with_rng(random),
        Kind::Isbn13 => barcode::Isbn13(locale).fake_with_rng(random),
        Kind::Job => job::Title(locale).fake_with_rng(random),
        Kind::LastName => name::LastName(locale).fake_with_rng(random),
        Kind::MacAddress => internet::MACAddress(locale).fake_with_rng(random),
        Kind::MimeType => filesystem::MimeType(locale).fake_with_rng(random),
        Kind::Name => name::Name(locale).fake_with_rng(random),
        Kind::Paragraph => lorem::Paragraph(locale, 3..6).fake_with_rng(random),
        Kind::PhoneNumber => phone_number::PhoneNumber(locale).fake_with_rng(random),
        Kind::Postcode => address::PostCode(locale).fake_with_rng(random),
        Kind::Prefix => name::Title(locale).fake_with_rng(random),
        Kind::SecondaryAddress => address::SecondaryAddress(locale).fake_with_rng(random),
        Kind::Sentence => lorem::Sentence(locale, 4..9).fake_with_rng(random),
        Kind::State => address::StateName(locale).fake_with_rng(random),
        Kind::StateAbbr => address::StateAbbr(locale).fake_with_rng(random),
        Kind::StreetName => address::StreetName(locale).fake_with_rng(random),
        Kind::StreetSuffix => address::StreetSuffix(locale).fake_with_rng(random),
        Kind::Suffix => name::Suffix(locale).fake_with_rng(random),
        Kind::Timezone => address::TimeZone(locale).fake_with_rng(random),
        Kind::Tld => internet::DomainSuffix(locale).fake_with_rng(random),
        Kind::UserAgent => internet::UserAgent(locale).fake_with_rng(random),
        Kind::UserName => internet::Username(locale).fake_with_rng(random),
        Kind::Word => lorem::Word(locale).fake_with_rng(random),
    }
}
